import { Readable } from "node:stream";
import { Type } from "typebox";
import { StateHashAnswer } from "../../schemas/http.js";
import { hashAnswer } from "../admin-answers.js";
import { LINES_TYPE } from "../body-parsers.js";
import { historyLines } from "../history-lines.js";
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
  api.get(
    "/v1/state/histories",
    {
      config: { scope: "admin" },
      schema: {
        operationId: "stateHistories",
        tags: ["state"],
        summary: "All profiles with the side information of their items, as lines of JSON: what models are trained on",
        response: {
          200: {
            description:
              "A line each: `{ info }` before an item comes first, `{ user, items, weights, times }`, and `{ end: { users, position } }`",
            content: { [LINES_TYPE]: { schema: Type.Unsafe<Readable>(Type.String()) } },
          },
          ...problemResponses("WRONG_ROLE"),
        },
      },
    },
    async (_request, reply) => {
      const lines = historyLines(parts.owner);
      // What can't be answered at all is told by a status: once lines flow, only by cutting them off.
      const first = await lines.next();
      async function* all(): AsyncGenerator<string> {
        if (first.done !== true) yield first.value;
        yield* lines;
      }
      return reply.type(LINES_TYPE).send(Readable.from(all(), { objectMode: false, highWaterMark: 1 << 18 }));
    },
  );
}
