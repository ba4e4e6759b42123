import { StateHashAnswer } from "../../schemas/http.js";
import { formatPosition } from "../../schemas/position.js";
import { problemResponses } from "../problems.js";
import type { Api, ResolvedParts } from "../server-parts.js";

export function stateRoutes(api: Api, parts: ResolvedParts): void {
  api.get(
    "/v1/state/hash",
    {
      config: { scope: "admin" },
      schema: {
        operationId: "stateHash",
        tags: ["state"],
        summary: "Canonical hash of all rows, and the position that it holds for",
        response: { 200: StateHashAnswer, ...problemResponses() },
      },
    },
    async () => {
      const { position, ...summary } = await parts.owner.summary();
      return { ...summary, position: formatPosition(position) };
    },
  );
}
