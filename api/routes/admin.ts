import { KindredError } from "../../schemas/errors.js";
import {
  DeadLettersAnswer,
  DeadLettersQuery,
  ProfileAnswer,
  ReplayAnswer,
  ReplayBody,
  StatsAnswer,
  UserParams,
  VerifyAnswer,
} from "../../schemas/http.js";
import { deadLettersAnswer, profileAnswer, replayAnswer, verifyAnswer } from "../admin-answers.js";
import { toUserId } from "../checked-ids.js";
import { problemResponses } from "../problems.js";
import type { Api, ResolvedParts } from "../server-parts.js";

const config = { scope: "admin" } as const;
const tags = ["admin"];

/** What a command asks of the server that has the directory open. */
export function adminRoutes(api: Api, parts: ResolvedParts): void {
  rowRoutes(api, parts);
  deadLetterRoutes(api, parts);
  api.get(
    "/v1/admin/stats",
    {
      config,
      schema: { operationId: "stats", tags, summary: "Sizes of what recall reads", response: { 200: StatsAnswer, ...problemResponses() } },
    },
    async () => ({ ...parts.readModel.stats(), vectors: parts.space().users.size, shards: [...parts.indexStats()] }),
  );
}

function rowRoutes(api: Api, parts: ResolvedParts): void {
  api.get(
    "/v1/admin/users/:user",
    {
      config,
      schema: {
        operationId: "stateGet",
        tags,
        summary: "A user's whole row, from the thread that owns the store",
        params: UserParams,
        response: { 200: ProfileAnswer, ...problemResponses("UNKNOWN_USER", "INVALID_PARAMETER") },
      },
    },
    async (request) => {
      const row = await parts.owner.profile(toUserId(request.params.user));
      if (row === undefined) throw new KindredError("UNKNOWN_USER", "no behaviour of this user is known");
      return profileAnswer(row);
    },
  );

  api.post(
    "/v1/admin/state/verify",
    {
      config,
      schema: {
        operationId: "stateVerify",
        tags,
        summary: "Recompute every row from its profile and compare",
        response: { 200: VerifyAnswer, ...problemResponses() },
      },
    },
    async () => verifyAnswer(await parts.owner.verify()),
  );
}

function deadLetterRoutes(api: Api, parts: ResolvedParts): void {
  api.get(
    "/v1/admin/dead-letters",
    {
      config,
      schema: {
        operationId: "deadLetters",
        tags,
        summary: "What could not be folded, and why",
        querystring: DeadLettersQuery,
        response: { 200: DeadLettersAnswer, ...problemResponses("INVALID_PARAMETER") },
      },
    },
    async (request) => {
      const { after, limit = 100 } = request.query;
      return deadLettersAnswer(await parts.deadLetters.list({ limit, ...(after !== undefined && { after }) }));
    },
  );

  api.post(
    "/v1/admin/dead-letters/replay",
    {
      config,
      schema: {
        operationId: "replayDeadLetters",
        tags,
        summary: "Try dead letters again, as they are or repaired",
        body: ReplayBody,
        response: {
          200: ReplayAnswer,
          ...problemResponses("INVALID_JSON", "INVALID_BODY", "BODY_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "OVERLOADED", "STORAGE_FAILED"),
        },
      },
    },
    async (request) => {
      const { all, repairs } = request.body;
      if ((all === undefined) === (repairs === undefined))
        throw new KindredError("INVALID_BODY", "the body names exactly one of all, repairs");
      const wanted = repairs === undefined ? "all" : new Map(repairs.map(({ number, event }) => [number, event]));
      return replayAnswer(await parts.deadLetters.replay(wanted));
    },
  );
}
