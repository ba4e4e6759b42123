import { ScenariosAnswer } from "../../schemas/http.js";
import { problemResponses } from "../problems.js";
import { scenarios } from "../recall/scenarios.js";
import type { Api } from "../server-parts.js";

export function scenarioRoutes(api: Api): void {
  api.get(
    "/v1/scenarios",
    {
      config: { scope: "recall" },
      schema: {
        operationId: "scenarios",
        tags: ["recall"],
        summary: "Scenarios, and the ladder that each climbs down",
        response: { 200: ScenariosAnswer, ...problemResponses() },
      },
    },
    async () => ({
      scenarios: scenarios().map(({ name, mode, needs, ladder }) => ({
        name,
        mode,
        needs,
        ladder: ladder.map(({ rung }) => rung),
        builtIn: true,
      })),
    }),
  );
}
