import { KindredError } from "../../schemas/errors.js";
import { DeadLettersAnswer, DeadLettersQuery, ProfileAnswer, ReplayAnswer, ReplayBody, StatsAnswer, UserParams, VerifyAnswer } from "../../schemas/http.js";
import { formatPosition } from "../../schemas/position.js";
import { toUserId } from "../checked-ids.js";
import { problemResponses } from "../problems.js";
import type { Api, ResolvedParts } from "../server-parts.js";
import { toTime } from "../wire-time.js";

const config = { scope: "admin" } as const;
const tags = ["admin"];

/** What a command asks of the server that has the directory open. */
export function adminRoutes(api: Api, parts: ResolvedParts): void {
  stateRoutesOf(api, parts);
  deadLetterRoutes(api, parts);
  api.get(
    "/v1/admin/stats",
    { config, schema: { operationId: "stats", tags, summary: "Sizes of what recall reads", response: { 200: StatsAnswer, ...problemResponses() } } },
    async () => ({ ...parts.readModel.stats(), vectors: parts.users().size, shards: [...parts.indexStats()] }),
  );
}

function stateRoutesOf(api: Api, parts: ResolvedParts): void {
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
      return {
        ...row,
        updatedAt: toTime(row.updatedAt),
        position: formatPosition(new Map([[row.partition, row.offset]])),
        items: row.items.map(({ item, weight, ts }) => ({ item, weight, ts: toTime(ts) })),
        keywords: [...row.keywords],
        accumulators: [...row.accumulators],
      };
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
    async () => {
      const report = await parts.owner.verify();
      const ok = report.faultCount === 0 && report.storedHash === report.recomputedHash;
      return { ok, ...report, faults: [...report.faults] };
    },
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
      const letters = await parts.deadLetters.list({ limit, ...(after !== undefined && { after }) });
      return { deadLetters: letters.map((letter) => ({ ...letter, at: toTime(letter.at) })) };
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
        response: { 200: ReplayAnswer, ...problemResponses("INVALID_JSON", "INVALID_BODY", "BODY_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "OVERLOADED", "STORAGE_FAILED") },
      },
    },
    async (request) => {
      const { all, repairs } = request.body;
      if ((all === undefined) === (repairs === undefined)) throw new KindredError("INVALID_BODY", "the body names exactly one of all, repairs");
      const wanted = repairs === undefined ? "all" : new Map(repairs.map(({ number, event }) => [number, event]));
      const { replayed, failed, position } = await parts.deadLetters.replay(wanted);
      return { replayed, failed, position: formatPosition(position) };
    },
  );
}
