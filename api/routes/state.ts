import { StateHashAnswer } from "../../schemas/http.js";
import { hashAnswer } from "../admin-answers.js";
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
    async () => hashAnswer(await parts.owner.summary()),
  );
}
