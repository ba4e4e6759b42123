import Type from "typebox";
import { KindredError } from "../../schemas/errors.js";
import type { RecallOptions } from "../../schemas/http.js";
import { RecallAnswer, RecallAnswers, RecallBody, RecallPostQuery, RecallQuery, ScenarioParams } from "../../schemas/http.js";
import type { Space } from "../../schemas/ports/read-model.js";
import { reached, readAsOf } from "../after.js";
import { toItemId, toUserId } from "../checked-ids.js";
import { problemResponses } from "../problems.js";
import { ItemAsker, UserAsker } from "../recall/askers.js";
import type { ItemInfos } from "../recall/item-infos.js";
import { recall } from "../recall/recall.js";
import type { Asker } from "../recall/recall-step.js";
import type { Scenario } from "../recall/scenarios.js";
import { scenarioOf } from "../recall/scenarios.js";
import { sessionAsker } from "../recall/session-asker.js";
import type { Api, ResolvedParts } from "../server-parts.js";

const problems = problemResponses("UNKNOWN_SCENARIO", "INVALID_PARAMETER", "INVALID_POSITION");
const bodyProblems = problemResponses(
  "UNKNOWN_SCENARIO",
  "INVALID_PARAMETER",
  "INVALID_POSITION",
  "INVALID_JSON",
  "INVALID_BODY",
  "BODY_TOO_LARGE",
  "UNSUPPORTED_MEDIA_TYPE",
);
type Body = Type.Static<typeof RecallBody>;
type MakeAsker = (space: Space) => Asker;

/** Recall: one by GET, many at once or a session by POST. */
export function recallRoutes(api: Api, parts: ResolvedParts, infos: ItemInfos): void {
  const answerAll = answering(parts, infos);

  api.get(
    "/v1/recall/:scenario",
    {
      config: { scope: "recall" },
      schema: {
        operationId: "recall",
        tags: ["recall"],
        summary: "Near users or items for one user or item",
        params: ScenarioParams,
        querystring: RecallQuery,
        response: { 200: RecallAnswer, ...problems },
      },
    },
    async (request) => {
      const cameAt = performance.now();
      const scenario = scenarioOf(request.params.scenario);
      const makeAsker = askerOf(parts, scenario, request.query);
      const [answer] = await answerAll(scenario, [makeAsker], request.query, request.id, cameAt);
      return answer!;
    },
  );

  api.post(
    "/v1/recall/:scenario",
    {
      config: { scope: "recall" },
      schema: {
        operationId: "recallMany",
        tags: ["recall"],
        summary: "Many recalls at once, or a session's",
        description: `\`users\` (or \`items\` for i2i): at most ${parts.settings.maxRecallBatch}, answered in their order under \`results\`. \`events\`: recall for someone unknown, pooled in the request; nothing is stored; answers like GET.`,
        params: ScenarioParams,
        querystring: RecallPostQuery,
        body: RecallBody,
        response: { 200: Type.Union([RecallAnswers, RecallAnswer]), ...bodyProblems },
      },
    },
    async (request, reply) => {
      const cameAt = performance.now();
      const scenario = scenarioOf(request.params.scenario);
      const { body } = request;
      const makeAskers = askersOf(parts, scenario, body);
      const answers = await answerAll(scenario, makeAskers, { ...request.query, ...body }, request.id, cameAt);
      // Two shapes: each by its own serialiser, instead of one that tries both.
      const isSession = body.events !== undefined;
      const schema: object = isSession ? RecallAnswer : RecallAnswers;
      const serialize = reply.compileSerializationSchema(schema as Record<string, unknown>);
      reply.serializer((answer) => serialize(answer as Record<string, unknown>)).type("application/json; charset=utf-8");
      if (isSession) return answers[0]!;
      const ids = body[`${scenario.needs}s`] ?? [];
      return { results: answers.map((answer, i) => ({ [scenario.needs]: ids[i], ...answer })) };
    },
  );
}

/** Waits for `after`, reads what is applied, takes one generation, then searches for all at once. */
function answering(parts: ResolvedParts, infos: ItemInfos) {
  return async (scenario: Scenario, makeAskers: readonly MakeAsker[], options: RecallOptions, requestId: string, cameAt: number) => {
    const variant = variantOf(options.variant);
    const reaching = reached(parts.applied, options.after, options.waitMs ?? 1000);
    const fresh = reaching === true ? true : await reaching;
    const asOf = readAsOf(parts.applied);
    const space = parts.space();
    const { readModel, settings } = parts;
    return Promise.all(
      makeAskers.map((makeAsker) => {
        const asker = makeAsker(space);
        const ask = { readModel, space, asker, limit: options.limit ?? 50, settings };
        return recall(parts, infos, {
          scenario,
          asker,
          ask,
          explain: options.explain ?? false,
          variant,
          requestId,
          fresh,
          asOf,
          cameAt,
        });
      }),
    );
  };
}

/** Experiments bring more of them; until then an answer must not claim to be of one. */
function variantOf(name = "default"): string {
  if (name !== "default") throw new KindredError("INVALID_PARAMETER", `no variant is called ${name}; there is: default`, "variant");
  return name;
}

function askerOf(parts: ResolvedParts, scenario: Scenario, query: { user?: string | undefined; item?: string | undefined }): MakeAsker {
  const { needs } = scenario;
  const text = query[needs];
  if (text === undefined) throw new KindredError("INVALID_PARAMETER", `scenario ${scenario.name} needs the parameter ${needs}`, needs);
  return needs === "user" ? userAsker(parts, text) : itemAsker(parts, text);
}

function askersOf(parts: ResolvedParts, scenario: Scenario, body: Body): readonly MakeAsker[] {
  const given = (["users", "items", "events"] as const).filter((name) => body[name] !== undefined);
  if (given.length !== 1) throw new KindredError("INVALID_BODY", "the body names exactly one of users, items, events");
  if (body.events !== undefined) return [sessionAsker(parts, body.events)];
  const wanted = `${scenario.needs}s` as const;
  const ids = body[wanted];
  if (ids === undefined) throw new KindredError("INVALID_BODY", `scenario ${scenario.name} needs ${wanted}, or events`, wanted);
  if (ids.length > parts.settings.maxRecallBatch)
    throw new KindredError("INVALID_BODY", `at most ${parts.settings.maxRecallBatch} ${wanted} in one request`, wanted);
  return ids.map((id) => (scenario.needs === "user" ? userAsker(parts, id) : itemAsker(parts, id)));
}

function userAsker({ readModel }: ResolvedParts, text: string): MakeAsker {
  const user = toUserId(text);
  return ({ users }) => new UserAsker(user, readModel, users);
}

function itemAsker({ readModel }: ResolvedParts, text: string): MakeAsker {
  const item = toItemId(text);
  return () => new ItemAsker(item, readModel);
}
