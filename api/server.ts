import type { Socket } from "node:net";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { ConnectionError, FastifyRequest } from "fastify";
import Fastify, { LogController } from "fastify";
import { KindredError } from "../schemas/errors.js";
import { addJsonParser } from "./body-parsers.js";
import { addNotFound } from "./not-found.js";
import { describeApi, openApiRoute } from "./openapi.js";
import { PROBLEM_TYPE, problemOf, sendProblem } from "./problems.js";
import { ItemInfos } from "./recall/item-infos.js";
import { addRequestGuards } from "./request-guards.js";
import { requestIdOf } from "./request-id.js";
import { adminRoutes } from "./routes/admin.js";
import { eventRoutes } from "./routes/events.js";
import { fileRoutes } from "./routes/files.js";
import { generationRoutes } from "./routes/generations.js";
import { healthRoutes } from "./routes/health.js";
import { itemRoutes } from "./routes/items.js";
import { recallRoutes } from "./routes/recall.js";
import { scenarioRoutes } from "./routes/scenarios.js";
import { stateRoutes } from "./routes/state.js";
import { userRoutes } from "./routes/users.js";
import type { Api, ApiSettings, ResolvedParts, ServerParts } from "./server-parts.js";
import { DEFAULT_API_SETTINGS } from "./server-parts.js";
import { validatorCompiler } from "./validator.js";

/** Longer parts of a path are refused by their schema; this only has to hold 128 encoded characters. */
const MAX_PARAM_LENGTH = 16_384;
/** Texts of side information kept parsed. */
const PARSED_INFOS = 20_000;

/**
 * The HTTP side, ready to `listen`. `close()` answers what is under way, refuses what comes meanwhile with 503 and
 * `Retry-After`, and leaves the parts as they are: who made them ends them.
 */
export function buildServer(given: ServerParts): Api {
  const parts: ResolvedParts = { ...given, settings: Object.freeze({ ...DEFAULT_API_SETTINGS, ...given.settings }) };
  const api = newFastify(parts);
  const notReady = readiness(api, parts);
  const infos = new ItemInfos(PARSED_INFOS);
  api.setValidatorCompiler(validatorCompiler);
  api.setErrorHandler(sendProblem);
  addJsonParser(api);
  addRequestGuards(api, parts.settings, notReady);
  addNotFound(api);
  describeApi(api);
  const groups: ((group: Api) => void)[] = [
    (group) => eventRoutes(group, parts),
    (group) => itemRoutes(group, parts, infos),
    (group) => recallRoutes(group, parts, infos),
    (group) => userRoutes(group, parts, infos),
    (group) => stateRoutes(group, parts),
    (group) => adminRoutes(group, parts),
    (group) => fileRoutes(group, parts),
    (group) => generationRoutes(group, parts),
    scenarioRoutes,
    (group) => healthRoutes(group, parts, notReady),
    openApiRoute,
  ];
  for (const group of groups) api.register(async (scope) => group(scope.withTypeProvider<TypeBoxTypeProvider>()));
  return api;
}

function newFastify({ settings, logger }: ResolvedParts): Api {
  return Fastify({
    ...(logger === undefined ? {} : { loggerInstance: logger }),
    // A line per request costs more than the request; metrics count them.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: settings.bodyLimitBytes,
    requestTimeout: settings.requestTimeoutMs,
    requestIdHeader: false,
    genReqId: requestIdOf,
    // Our own 503 has problem details and Retry-After.
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: (error, request, reply) => {
      reply.header("x-request-id", request.id);
      sendProblem(error, request as FastifyRequest, reply);
    },
    clientErrorHandler: refuseUnreadable,
  }).withTypeProvider<TypeBoxTypeProvider>();
}

/** Not ready as the parts say, and from the begin of `close()` on. */
function readiness(api: Api, { notReady }: ResolvedParts): () => string | null {
  let closing = false;
  api.addHook("preClose", async () => {
    closing = true;
  });
  return () => (closing ? "the server is stopping" : notReady());
}

/** What is not HTTP at all never becomes a request: answered on the bare socket. */
function refuseUnreadable(error: ConnectionError, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  if (socket.writable) {
    const tooLarge = error.code === "HPE_HEADER_OVERFLOW";
    const problem = problemOf(
      new KindredError("INVALID_PARAMETER", tooLarge ? "the headers are too large" : "the request is not valid HTTP"),
      "",
      requestIdOf({ headers: {} }),
    );
    const body = JSON.stringify(problem);
    socket.write(
      `HTTP/1.1 400 Bad Request\r\nContent-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
  socket.destroy(error);
}

export type { ApiSettings, ServerParts };
