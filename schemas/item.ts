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
  readonly scene?: string;
}

/** Most creators or tags that one item may have. */
export const MAX_ITEM_LABELS = 64;
/** Longest title, in UTF-16 code units. */
export const MAX_TITLE_LENGTH = 512;

const isLabels = (v: unknown): v is string[] => Array.isArray(v) && v.length <= MAX_ITEM_LABELS && v.every((s) => isText(s, MAX_ID_LENGTH));

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
  const scene = i.scene ?? undefined;
  if (scene !== undefined && !isText(scene, MAX_ID_LENGTH)) return refuse(`scene must be a string of 1 to ${MAX_ID_LENGTH} characters`);
  return {
    ok: true,
    value: {
      item: i.item as ItemId,
      type,
      ...(title !== undefined && { title }),
      ...(creators !== undefined && { creators: [...new Set(creators)] }),
      ...(tags !== undefined && { tags: [...new Set(tags)] }),
      ...(scene !== undefined && { scene }),
    },
  };
}
