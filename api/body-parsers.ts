import { isUtf8 } from "node:buffer";
import { KindredError } from "../schemas/errors.js";
import type { Api } from "./server-parts.js";

export const LINES_TYPE = "application/x-ndjson";

/**
 * JSON for all routes, and nothing else: plain text, which browsers send across origins unasked, is refused. Bytes that are
 * not UTF-8 are refused too: decoded with replacement characters an id would become another one. `__proto__` keys are dropped.
 */
export function addJsonParser(api: Api): void {
  const parse = api.getDefaultJsonParser("remove", "remove");
  api.removeAllContentTypeParsers();
  api.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body: Buffer, done) => {
    if (body.length === 0) return done(null, undefined);
    if (!isUtf8(body)) return done(new KindredError("INVALID_JSON", "the body is not UTF-8"));
    return parse(request, body.toString(), (error, parsed) => {
      if (error === null) done(null, parsed);
      else
        done(new KindredError("INVALID_JSON", `the body is not valid JSON: ${error.message.slice(0, 200)}`, undefined, { cause: error }));
    });
  });
}

/** Newline-delimited JSON stays bytes: lines are judged one by one. */
export function addLinesParser(api: Api): void {
  api.addContentTypeParser(LINES_TYPE, { parseAs: "buffer" }, (_request, body: Buffer, done) => done(null, body));
}
