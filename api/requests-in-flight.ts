import type { FastifyReply, FastifyRequest } from "fastify";
import { KindredError } from "../schemas/errors.js";
import type { ApiSettings } from "./server-parts.js";

type Limits = Pick<ApiSettings, "maxRequestsInFlight" | "maxBodyBytesInFlight" | "bodyLimitBytes">;

/**
 * Bounds what all requests under way hold together. A body counts with its declared length before any of it is read (one
 * sent in chunks with the most it may have), so that producers faster than the log wait outside of our memory.
 */
export class RequestsInFlight {
  #requests = 0;
  #bodyBytes = 0;

  constructor(readonly limits: Limits) {}

  /** Counts a request until its answer is closed; an error where it is one too many. */
  enter(request: FastifyRequest, reply: FastifyReply): KindredError | null {
    const { maxRequestsInFlight, maxBodyBytesInFlight } = this.limits;
    const bytes = this.#bytesOf(request);
    if (this.#requests >= maxRequestsInFlight) return new KindredError("OVERLOADED", `${maxRequestsInFlight} requests are under way`);
    // One alone always fits: whether it is too large is for the body limit to say.
    if (this.#bodyBytes > 0 && this.#bodyBytes + bytes > maxBodyBytesInFlight)
      return new KindredError("OVERLOADED", "the bodies under way hold as much as may be held");
    this.#requests++;
    this.#bodyBytes += bytes;
    // Also emitted when the caller goes away.
    reply.raw.once("close", () => {
      this.#requests--;
      this.#bodyBytes -= bytes;
    });
    return null;
  }

  #bytesOf({ headers }: FastifyRequest): number {
    if (headers["transfer-encoding"] !== undefined) return this.limits.bodyLimitBytes;
    const declared = Number(headers["content-length"] ?? 0);
    return Number.isFinite(declared) ? Math.min(declared, this.limits.bodyLimitBytes) : 0;
  }
}
