import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { EventBody, Problem } from "../schemas/http.js";
import type { Api } from "./server-parts.js";

/** The document is made of the routes' own schemas, so it can't say anything else than they do. Register before any route. */
export function describeApi(api: Api): void {
  api.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "kindred",
        version: "1",
        description:
          "Real-time recall from implicit relationship chains. Errors are RFC 9457 problem details with a stable `code`; `X-Request-ID` is echoed.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      tags: [
        { name: "events", description: "Behaviour in" },
        { name: "items", description: "Side information, raw i2i" },
        { name: "recall", description: "Near users and items" },
        { name: "users", description: "Profiles, neighbours, erasure" },
        { name: "state", description: "What the rows add up to" },
        { name: "generations", description: "Versions of models and indexes" },
        { name: "admin", description: "For the operator's commands" },
        { name: "operation", description: "Health and metrics" },
      ],
      components: { schemas: { Event: JSON.parse(JSON.stringify(EventBody)), Problem: JSON.parse(JSON.stringify(Problem)) } },
    },
  });
  api.register(swaggerUi, { routePrefix: "/docs", staticCSP: true });
}

export function openApiRoute(api: Api): void {
  api.get("/openapi.json", { schema: { hide: true } }, async () => api.swagger());
}
