import { KindredError } from "../../schemas/errors.js";
import {
  ItemAnswer,
  ItemBody,
  ItemInfoAnswer,
  ItemNeighborsAnswer,
  ItemNeighborsQuery,
  ItemParams,
  ItemsAnswer,
  ItemsBody,
} from "../../schemas/http.js";
import type { ItemOrdinal } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import { parseItemInfo } from "../../schemas/item.js";
import type { ItemEngines } from "../../schemas/ports/read-model.js";
import { readAsOf } from "../after.js";
import { toItemId } from "../checked-ids.js";
import { problemResponses } from "../problems.js";
import type { ItemInfos } from "../recall/item-infos.js";
import { nearItems } from "../recall/items-alike.js";
import type { Api, ResolvedParts } from "../server-parts.js";

const NONE = new Uint32Array(0);
const writeProblems = problemResponses(
  "INVALID_JSON",
  "INVALID_BODY",
  "INVALID_PARAMETER",
  "ITEM_INFO",
  "BODY_TOO_LARGE",
  "UNSUPPORTED_MEDIA_TYPE",
  "OVERLOADED",
  "STORAGE_FAILED",
);

/** Side information of items, and raw i2i. */
export function itemRoutes(api: Api, parts: ResolvedParts, infos: ItemInfos): void {
  putItem(api, parts);
  postItems(api, parts);

  api.get(
    "/v1/items/:item",
    {
      config: { scope: "recall" },
      schema: {
        operationId: "getItem",
        tags: ["items"],
        summary: "An item's side information and counts",
        params: ItemParams,
        response: { 200: ItemAnswer, ...problemResponses("UNKNOWN_ITEM", "INVALID_PARAMETER") },
      },
    },
    async (request) => {
      const { item, users, infoJson } = knownItem(parts, request.params.item);
      return { item, ...infos.shown(item, infoJson), users };
    },
  );

  api.get(
    "/v1/items/:item/neighbors",
    {
      config: { scope: "recall" },
      schema: {
        operationId: "getItemNeighbors",
        tags: ["items"],
        summary: "Raw i2i: items near this one for a trained model, else those found in profiles together with it",
        params: ItemParams,
        querystring: ItemNeighborsQuery,
        response: { 200: ItemNeighborsAnswer, ...problemResponses("UNKNOWN_ITEM", "INVALID_PARAMETER") },
      },
    },
    async (request) => {
      const asOf = readAsOf(parts.applied);
      const { item, ordinal } = knownItem(parts, request.params.item);
      const { users, items } = parts.space();
      const { by, ...near } = await neighborsOf(parts, items, ordinal, request.query.limit ?? 50);
      const json = parts.readModel.itemInfoJson(near.ordinals);
      const results = parts.readModel
        .itemIds(near.ordinals)
        .map((id, i) => ({ id, type: infos.typeOf(id, json[i]!), score: near.scores[i]! }));
      return { item, by, generation: users.generation, asOf, results };
    },
  );
}

/** By vector where the generation has them and this item has one, else by co-occurrence. */
async function neighborsOf(
  { readModel, settings }: ResolvedParts,
  items: ItemEngines | undefined,
  ordinal: ItemOrdinal,
  limit: number,
): Promise<{ by: string; ordinals: Uint32Array; scores: Float32Array }> {
  if (items !== undefined) {
    const near = await nearItems(items, ordinal, { k: limit, deadlineMs: settings.searchDeadlineMs });
    if (near.ordinals.length > 0) return { by: "vector", ...near };
  }
  return { by: "co-occurrence", ...(await readModel.coOccurring(Uint32Array.of(ordinal), Float32Array.of(1), NONE, limit)) };
}

function putItem(api: Api, parts: ResolvedParts): void {
  api.put(
    "/v1/items/:item",
    {
      config: { scope: "events" },
      schema: {
        operationId: "putItem",
        tags: ["items"],
        summary: "Set one item's side information",
        description: "Replaces what was known. Titles and filters change at once, fingerprints with the next catalogue.",
        params: ItemParams,
        body: ItemBody,
        response: { 200: ItemInfoAnswer, ...writeProblems },
      },
    },
    async (request) => {
      const item = toItemId(request.params.item);
      const parsed = parseItemInfo({ item, ...request.body });
      if (!parsed.ok) throw new KindredError(parsed.error.code, parsed.error.message);
      if (parsed.value.item !== item) throw new KindredError("ITEM_INFO", "`item` of the body is another than that of the path");
      await parts.intake.putItems([parsed.value]);
      return parsed.value;
    },
  );
}

function postItems(api: Api, parts: ResolvedParts): void {
  api.post(
    "/v1/items",
    {
      config: { scope: "events" },
      schema: {
        operationId: "postItems",
        tags: ["items"],
        summary: "Set the side information of many items",
        description: `At most ${parts.settings.maxItems}; the good ones are taken when others are refused.`,
        body: ItemsBody,
        response: { 200: ItemsAnswer, ...writeProblems, ...problemResponses("BODY_TOO_LARGE", "TOO_MANY_EVENTS") },
      },
    },
    async (request) => {
      const { items } = request.body;
      if (items.length > parts.settings.maxItems)
        throw new KindredError("TOO_MANY_EVENTS", `at most ${parts.settings.maxItems} items in one request; nothing was taken`);
      const taken: ItemInfo[] = [];
      const rejected: { index: number; code: string; message: string }[] = [];
      items.forEach((raw, index) => {
        const parsed = parseItemInfo(raw);
        if (parsed.ok) taken.push(parsed.value);
        else rejected.push({ index, ...parsed.error });
      });
      if (taken.length > 0) await parts.intake.putItems(taken);
      return { accepted: taken.length, rejected };
    },
  );
}

function knownItem(parts: ResolvedParts, id: string) {
  const record = parts.readModel.item(toItemId(id));
  if (record === undefined) throw new KindredError("UNKNOWN_ITEM", "this item is in no profile and has no side information");
  return record;
}
