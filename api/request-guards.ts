import type { FastifyReply, FastifyRequest } from "fastify";
import { KindredError } from "../schemas/errors.js";
import { RequestsInFlight } from "./requests-in-flight.js";
import type { Api, ApiSettings } from "./server-parts.js";

/** What is looked at before any body is read: the request's id, what it is encoded in, whether it can be answered, whether there is room for it. */
export function addRequestGuards(api: Api, settings: ApiSettings, notReady: () => string | null): void {
  const inFlight = new RequestsInFlight(settings);
  api.addHook("onRequest", (request, reply, done) => {
    reply.header("x-request-id", request.id);
    done(refuse(request, reply) ?? undefined);
  });

  function refuse(request: FastifyRequest, reply: FastifyReply): KindredError | null {
    if (!isQueryDecodable(request.url)) return new KindredError("INVALID_PARAMETER", "the query is not valid percent-encoded UTF-8");
    const encoding = request.headers["content-encoding"];
    if (encoding !== undefined && encoding !== "identity")
      return new KindredError("UNSUPPORTED_MEDIA_TYPE", `content-encoding ${encoding.slice(0, 32)} is not taken`);
    if (!request.url.startsWith("/v1/")) return null;
    const why = notReady();
    return why === null ? inFlight.enter(request, reply) : new KindredError("NOT_READY", why);
  }
}

// Fastify would hand on undecodable text as it stands: a question for a user of that name, silently.
function isQueryDecodable(url: string): boolean {
  const query = url.indexOf("?");
  if (query < 0 || !url.includes("%", query)) return true;
  try {
    decodeURIComponent(url.slice(query + 1));
    return true;
  } catch {
    return false;
  }
}
