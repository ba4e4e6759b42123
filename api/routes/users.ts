import { KindredError } from "../../schemas/errors.js";
import { ErasureAnswer, NeighborsQuery, UserAnswer, UserNeighborsAnswer, UserParams, UserQuery } from "../../schemas/http.js";
import type { ItemId } from "../../schemas/ids.js";
import { formatPosition } from "../../schemas/position.js";
import { readAsOf } from "../after.js";
import { toUserId } from "../checked-ids.js";
import { eraseUser } from "../erase-user.js";
import { problemResponses } from "../problems.js";
import { titled } from "../recall/explain/explainer.js";
import type { ItemInfos } from "../recall/item-infos.js";
import type { Api, ResolvedParts } from "../server-parts.js";
import { toTime } from "../wire-time.js";

/** Profiles, raw neighbours, erasure. */
export function userRoutes(api: Api, parts: ResolvedParts, infos: ItemInfos): void {
  getUser(api, parts, infos);
  getNeighbors(api, parts);
  api.delete(
    "/v1/users/:user",
    {
      config: { scope: "admin" },
      schema: {
        operationId: "eraseUser",
        tags: ["users"],
        summary: "Erase a user",
        description:
          "Gone from the next answer on, and not brought back by replay or restore. Erasing a user that is not known is no error: the receipt then says that nothing was there.",
        params: UserParams,
        response: { 200: ErasureAnswer, ...problemResponses("INVALID_PARAMETER", "OVERLOADED", "STORAGE_FAILED") },
      },
    },
    async (request) => await eraseUser(parts, toUserId(request.params.user)),
  );
}

function getUser(api: Api, parts: ResolvedParts, infos: ItemInfos): void {
  api.get(
    "/v1/users/:user",
    {
      config: { scope: "recall" },
      schema: {
        operationId: "getUser",
        tags: ["users"],
        summary: "A user's profile as recall sees it",
        params: UserParams,
        querystring: UserQuery,
        response: { 200: UserAnswer, ...problemResponses("UNKNOWN_USER", "INVALID_PARAMETER") },
      },
    },
    async (request) => {
      const engine = parts.space().users;
      const record = knownUser(parts, request.params.user);
      const titleOf = (id: ItemId) => infos.of(parts.readModel.item(id)?.infoJson ?? null).title;
      const topItems = record.items
        .slice(0, request.query.top ?? 20)
        .map((id, i) => ({ ...titled(id, titleOf(id)), weight: record.weights[i]! }));
      const vector = engine.vector(record.ordinal);
      return {
        user: record.user,
        fingerprint: record.fingerprint,
        events: record.events,
        topItems,
        updatedAt: toTime(record.updatedAt),
        position: formatPosition(new Map([[record.partition, record.offset]])),
        generation: engine.generation,
        ...(request.query.fields === "vector" && { vector: vector === undefined ? null : Array.from(vector) }),
      };
    },
  );
}

function getNeighbors(api: Api, parts: ResolvedParts): void {
  api.get(
    "/v1/users/:user/neighbors",
    {
      config: { scope: "recall" },
      schema: {
        operationId: "getUserNeighbors",
        tags: ["users"],
        summary: "Raw neighbours of a user, by vector or by fingerprint",
        params: UserParams,
        querystring: NeighborsQuery,
        response: { 200: UserNeighborsAnswer, ...problemResponses("UNKNOWN_USER", "INVALID_PARAMETER") },
      },
    },
    async (request) => {
      const asOf = readAsOf(parts.applied);
      const engine = parts.space().users;
      const { user, ordinal } = knownUser(parts, request.params.user);
      const { by = "vector", limit = 50, maxDistance = 2 } = request.query;
      const found = by === "vector" ? await byVector() : await bySimhash();
      const ids = parts.readModel.userIds(found.ordinals);
      const results = ids.map((id, i) => ({ id, ...found.measure(i) })).filter(({ id }) => id !== "");
      return { user, by, generation: engine.generation, asOf, truncated: found.truncated, results };

      async function byVector() {
        const { ordinals, scores, degraded } = await engine.searchFrom(ordinal, {
          k: limit,
          exclude: Uint32Array.of(ordinal),
          deadlineMs: parts.settings.searchDeadlineMs,
        });
        return { ordinals, truncated: degraded, measure: (i: number) => ({ score: scores[i]! }) };
      }
      async function bySimhash() {
        const { ordinals, distances, truncated } = await parts.readModel.nearFingerprints(ordinal, maxDistance, limit);
        return { ordinals, truncated, measure: (i: number) => ({ distance: distances[i]! }) };
      }
    },
  );
}

function knownUser(parts: ResolvedParts, id: string) {
  const record = parts.readModel.user(toUserId(id));
  if (record === undefined) throw new KindredError("UNKNOWN_USER", "no behaviour of this user is known");
  return record;
}
