import { isText, type Parsed, typeOfId } from "./event.js";
import type { ItemId } from "./ids.js";
import { MAX_ID_LENGTH } from "./ids.js";

/** An item's side information. */
export interface ItemInfo {
  readonly item: ItemId;
  /** Kind of item: song, artist, live, podcast, ... */
  readonly type: string;
  readonly title?: string;
  readonly creators?: readonly string[];
  readonly tags?: readonly string[];
  /** How strongly each of `tags` holds, say how many people named it: one for each, above 0. Absent: all alike, 1. */
  readonly tagWeights?: readonly number[];
  readonly scene?: string;
}

/** Most creators or tags that one item may have. */
export const MAX_ITEM_LABELS = 64;
/** Largest weight of a tag. */
export const MAX_TAG_WEIGHT = 1_000_000;
/** Longest title, in UTF-16 code units. */
export const MAX_TITLE_LENGTH = 512;

const isLabels = (v: unknown): v is string[] => Array.isArray(v) && v.length <= MAX_ITEM_LABELS && v.every((s) => isText(s, MAX_ID_LENGTH));

const isTagWeight = (v: unknown): v is number => typeof v === "number" && v > 0 && v <= MAX_TAG_WEIGHT;

/** An item's tags, none twice, with what each weighs; of those that are all alike, nothing. */
export function weightedTags(weights: ReadonlyMap<string, number>): Pick<ItemInfo, "tags" | "tagWeights"> {
  const alike = [...weights.values()].every((weight) => weight === 1);
  return { tags: [...weights.keys()], ...(!alike && { tagWeights: [...weights.values()].map((w) => Math.min(w, MAX_TAG_WEIGHT)) }) };
}

/** Each tag once, in the order first met; a tag that is named twice with weights has their sum. */
function tagsOf(tags: readonly string[], weights: readonly number[] | undefined): Pick<ItemInfo, "tags" | "tagWeights"> {
  if (weights === undefined) return { tags: [...new Set(tags)] };
  const summed = new Map<string, number>();
  for (const [i, tag] of tags.entries()) summed.set(tag, (summed.get(tag) ?? 0) + (weights[i] as number));
  return weightedTags(summed);
}

/** Checks one item's side information as it was sent. Never throws; the rejection names the field. Labels lose their duplicates. */
export function parseItemInfo(raw: unknown): Parsed<ItemInfo> {
  const refuse = (message: string): Parsed<ItemInfo> => ({ ok: false, error: { code: "ITEM_INFO", message } });
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return refuse("an item's side information is a JSON object");
  const i = raw as Record<string, unknown>;
  if (!isText(i.item, MAX_ID_LENGTH)) return refuse(`item must be a string of 1 to ${MAX_ID_LENGTH} characters`);
  const type = i.type ?? typeOfId(i.item);
  if (!isText(type, MAX_ID_LENGTH))
    return refuse(`type must be a string of 1 to ${MAX_ID_LENGTH} characters, or the prefix of the id (song:42)`);
  const title = i.title ?? undefined;
  if (title !== undefined && !isText(title, MAX_TITLE_LENGTH))
    return refuse(`title must be a string of 1 to ${MAX_TITLE_LENGTH} characters`);
  const creators = i.creators ?? undefined;
  if (creators !== undefined && !isLabels(creators))
    return refuse(`creators must be at most ${MAX_ITEM_LABELS} strings of 1 to ${MAX_ID_LENGTH} characters`);
  const tags = i.tags ?? undefined;
  if (tags !== undefined && !isLabels(tags))
    return refuse(`tags must be at most ${MAX_ITEM_LABELS} strings of 1 to ${MAX_ID_LENGTH} characters`);
  // Avro has no absent array.
  const given = i.tagWeights ?? undefined;
  const tagWeights = Array.isArray(given) && given.length === 0 ? undefined : given;
  if (tagWeights !== undefined && !(Array.isArray(tagWeights) && tagWeights.length === tags?.length && tagWeights.every(isTagWeight)))
    return refuse(`tagWeights must be a number above 0, at most ${MAX_TAG_WEIGHT}, for each of tags`);
  const scene = i.scene ?? undefined;
  if (scene !== undefined && !isText(scene, MAX_ID_LENGTH)) return refuse(`scene must be a string of 1 to ${MAX_ID_LENGTH} characters`);
  return {
    ok: true,
    value: {
      item: i.item as ItemId,
      type,
      ...(title !== undefined && { title }),
      ...(creators !== undefined && { creators: [...new Set(creators)] }),
      ...(tags !== undefined && tagsOf(tags, tagWeights)),
      ...(scene !== undefined && { scene }),
    },
  };
}
