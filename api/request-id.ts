import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";

const PRINTABLE = /^[\x21-\x7e]{1,128}$/;

// A random prefix per process and a counter: unique, and cheaper than random bytes per request.
const prefix = randomBytes(6).toString("hex");
let count = 0;

/** The caller's X-Request-ID where it is 1 to 128 printable ASCII characters without spaces, else a new id. */
export function requestIdOf(request: Pick<IncomingMessage, "headers">): string {
  const given = request.headers["x-request-id"];
  if (typeof given === "string" && PRINTABLE.test(given)) return given;
  count = (count + 1) % Number.MAX_SAFE_INTEGER;
  return `${prefix}-${count.toString(36)}`;
}
