import { KindredError } from "../../schemas/errors.js";
import { GenerationParams, GenerationsAnswer } from "../../schemas/http.js";
import { problemResponses } from "../problems.js";
import { itemsOf } from "../recall/items-of-generation.js";
import type { Api, ResolvedParts } from "../server-parts.js";

/** Versions of models and indexes. So far there is the one that is active. */
export function generationRoutes(api: Api, parts: ResolvedParts): void {
  const list = () => {
    const users = parts.users();
    const { generation, dims, metric, size } = users;
    const items = itemsOf(parts, users)?.outputs.size ?? 0;
    return { active: generation as number, generations: [{ id: generation as number, dims, metric, rows: size, items, active: true }] };
  };

  api.get(
    "/v1/generations",
    {
      config: { scope: "recall" },
      schema: {
        operationId: "generations",
        tags: ["generations"],
        summary: "Versions of models and indexes",
        response: { 200: GenerationsAnswer, ...problemResponses() },
      },
    },
    async () => list(),
  );

  api.post(
    "/v1/generations/:id/activate",
    {
      config: { scope: "admin" },
      schema: {
        operationId: "activateGeneration",
        tags: ["generations"],
        summary: "Answer with this generation from now on; activating the active one changes nothing",
        params: GenerationParams,
        response: { 200: GenerationsAnswer, ...problemResponses("UNKNOWN_GENERATION", "INVALID_PARAMETER") },
      },
    },
    async (request) => {
      const now = list();
      if (request.params.id !== now.active) throw new KindredError("UNKNOWN_GENERATION", `there is no generation ${request.params.id}`);
      return now;
    },
  );
}
