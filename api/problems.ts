import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import type { ErrorCode } from "../schemas/errors.js";
import { ERRORS, KindredError } from "../schemas/errors.js";
import { Problem } from "../schemas/http.js";

export const PROBLEM_TYPE = "application/problem+json";

/** Codes that any route may answer with. */
const ALWAYS = ["INTERNAL", "NOT_READY", "OVERLOADED"] as const;

/** Fastify's own errors, in our terms. What is not listed and below 500 is a bad request. */
const FASTIFY_CODES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ["BODY_TOO_LARGE", "the body is larger than this server takes"],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ["UNSUPPORTED_MEDIA_TYPE", "this route does not take that content type"],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ["INVALID_BODY", "the body is not as long as Content-Length says"],
  FST_ERR_CTP_INVALID_JSON_BODY: ["INVALID_JSON", "the body is not valid JSON"],
  FST_ERR_CTP_EMPTY_JSON_BODY: ["INVALID_JSON", "the body is empty"],
  FST_ERR_BAD_URL: ["INVALID_PARAMETER", "the path is not valid percent-encoded UTF-8"],
  FST_ERR_MAX_PARAM_LENGTH: ["INVALID_PARAMETER", "a part of the path is too long"],
};

/** What taking events out of a body may be refused with. */
export const INTAKE_PROBLEMS = [
  "INVALID_JSON",
  "INVALID_BODY",
  "BODY_TOO_LARGE",
  "TOO_MANY_EVENTS",
  "UNSUPPORTED_MEDIA_TYPE",
  "OVERLOADED",
  "STORAGE_FAILED",
] as const satisfies readonly ErrorCode[];

/** The responses of a schema for these codes, one entry a status, named by status and documented with its codes. */
export function problemResponses(...codes: readonly ErrorCode[]): Record<number, object> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set([...codes, ...ALWAYS])) {
    const status = ERRORS[code].status;
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, all]) => [
      status,
      { description: all.map((code) => `${code}: ${ERRORS[code].title}`).join(". "), content: { [PROBLEM_TYPE]: { schema: Problem } } },
    ]),
  );
}

/** RFC 9457 details of an error. Nothing of an internal error's message or stack goes out. */
export function problemOf(error: KindredError, path: string, requestId: string): Static<typeof Problem> {
  const { status, title } = ERRORS[error.code];
  const detail = error.code === "INTERNAL" ? title : error.message;
  return { type: `urn:kindred:error:${error.code}`, title, status, detail, instance: path, code: error.code, requestId };
}

/** Any error as one of ours. */
export function toKindredError(error: unknown): KindredError {
  if (error instanceof KindredError) return error;
  const { code, statusCode, message } = (error ?? {}) as Partial<FastifyError>;
  const known = code === undefined ? undefined : FASTIFY_CODES[code];
  if (known !== undefined) return new KindredError(known[0], known[1], undefined, { cause: error });
  if (error instanceof SyntaxError && statusCode === 400)
    return new KindredError("INVALID_JSON", message ?? "the body is not valid JSON", undefined, { cause: error });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new KindredError("INVALID_BODY", message ?? "bad request", undefined, { cause: error });
  return new KindredError("INTERNAL", message ?? "unknown", undefined, { cause: error });
}

export function sendProblem(raw: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = toKindredError(raw);
  // An argument that we passed on wrongly is our fault: the log has it, the caller gets no inner detail.
  const shown =
    error.status === 500 && error.code !== "INTERNAL" ? new KindredError("INTERNAL", error.message, undefined, { cause: error }) : error;
  if (shown.status >= 500 && !shown.canRetry) request.log.error({ err: raw, requestId: request.id }, "request failed");
  if (shown.retryAfterSeconds !== undefined) reply.header("retry-after", String(shown.retryAfterSeconds));
  return reply
    .code(shown.status)
    .type(PROBLEM_TYPE)
    .send(problemOf(shown, pathOf(request.url), request.id));
}

/** The path without the query: queries may hold what is not to be repeated. */
export function pathOf(url: string): string {
  const query = url.indexOf("?");
  return query < 0 ? url : url.slice(0, query);
}
