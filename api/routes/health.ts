import Type from "typebox";
import { KindredError } from "../../schemas/errors.js";
import { HealthAnswer } from "../../schemas/http.js";
import { problemResponses } from "../problems.js";
import type { Api, ResolvedParts } from "../server-parts.js";

/** Is the process alive, may it be asked, and what does it measure. Outside /v1: no key, and answered while not ready. */
export function healthRoutes(api: Api, parts: ResolvedParts, notReady: () => string | null): void {
  const tags = ["operation"];
  api.get(
    "/healthz",
    { schema: { operationId: "healthz", tags, summary: "The process answers", response: { 200: HealthAnswer, ...problemResponses() } } },
    async () => ({ status: "ok" }),
  );

  api.get(
    "/readyz",
    {
      schema: { operationId: "readyz", tags, summary: "Requests can be answered", response: { 200: HealthAnswer, ...problemResponses() } },
    },
    async () => {
      const why = notReady();
      if (why !== null) throw new KindredError("NOT_READY", why);
      return { status: "ready" };
    },
  );

  api.get(
    "/metrics",
    {
      schema: {
        operationId: "metrics",
        tags,
        summary: "Prometheus metrics",
        response: { 200: { description: "Exposition text", content: { "text/plain": { schema: Type.String() } } }, ...problemResponses() },
      },
    },
    async (_request, reply) => {
      parts.metrics.setIndexRows(parts.indexStats());
      return reply.type(parts.metrics.contentType).send(await parts.metrics.expose());
    },
  );
}
