import type { ItemId } from "../../schemas/ids.js";
import { type ItemInfo, MAX_ITEM_LABELS, weightedTags } from "../../schemas/item.js";
import { type FileFormat, FileRows } from "./file-rows.js";
import { type ItemRowOptions, ItemRows } from "./item-rows.js";

export interface ItemsFileOptions extends ItemRowOptions {
  readonly format: FileFormat;
  readonly signal?: AbortSignal;
  /** Side information stored so far, in the order of the ids: fields that the file does not give stay as they are. Absent: nothing is stored. */
  readonly stored?: (items: readonly ItemId[]) => Promise<readonly (ItemInfo | undefined)[]>;
  /** Items gathered in memory before a batch is given; 50,000. */
  readonly batchItems?: number;
}

export interface ItemsBatch {
  readonly items: readonly ItemInfo[];
  /** Rows since the last batch that say nothing usable. */
  readonly rejected: readonly { readonly line: number; readonly code: string; readonly message: string }[];
  /** Of the file itself. */
  readonly bytesRead: number;
}

/**
 * Side information from a file, in batches to be stored one after the other. Rows of the same item add up: creators and
 * tags are gathered over all its rows, those named most often first, at most 64 of each; a tag weighs as much as its rows say
 * together, 1 each if they say nothing; of title, type and scene the last holds.
 * @throws KindredError FILE_FORMAT
 */
export async function* itemsFromFile(path: string, options: ItemsFileOptions): AsyncGenerator<ItemsBatch> {
  const rows = await FileRows.open(path, options.format, options.signal);
  try {
    const reader = new ItemRows(options, options.format === "ndjson" ? undefined : rows.columns, path);
    const seen = new Set<ItemId>();
    let gathered = new Map<ItemId, GatheredItem>();
    let rejected: { line: number; code: string; message: string }[] = [];
    const batch = async (): Promise<ItemsBatch> => {
      const given = { items: await merged(gathered, seen, options), rejected, bytesRead: rows.bytesRead };
      gathered = new Map();
      rejected = [];
      return given;
    };
    for await (const block of rows.blocks()) {
      for (const row of block) {
        const read = reader.read(row);
        if ("rejection" in read) rejected.push({ line: row.line, code: read.rejection.code, message: read.rejection.message });
        else gather(gathered, read.info);
      }
      if (gathered.size >= (options.batchItems ?? 50_000) || rejected.length >= 10_000) yield await batch();
    }
    if (gathered.size > 0 || rejected.length > 0) yield await batch();
  } finally {
    await rows.close();
  }
}

interface GatheredItem {
  newest: ItemInfo;
  /** How often each was named. */
  readonly creators: Map<string, number>;
  /** What each weighs. */
  readonly tags: Map<string, number>;
}

function gather(gathered: Map<ItemId, GatheredItem>, info: ItemInfo): void {
  let item = gathered.get(info.item);
  if (item === undefined) {
    item = { newest: info, creators: new Map(), tags: new Map() };
    gathered.set(info.item, item);
  } else item.newest = { ...item.newest, ...info };
  add(item.creators, info.creators);
  add(item.tags, info.tags, info.tagWeights);
}

async function merged(gathered: ReadonlyMap<ItemId, GatheredItem>, seen: Set<ItemId>, options: ItemsFileOptions): Promise<ItemInfo[]> {
  const ids = [...gathered.keys()];
  const stored = (await options.stored?.(ids)) ?? [];
  return ids.map((id, i) => {
    const { newest, creators, tags } = gathered.get(id) as GatheredItem;
    const before = stored[i];
    // Labels of an earlier batch of this file add up; those of an earlier import are replaced.
    const earlier = seen.has(id) ? before : undefined;
    seen.add(id);
    const { tagWeights, ...kept } = { ...before, ...newest };
    return {
      ...kept,
      ...(tags.size === 0 && tagWeights !== undefined && { tagWeights }),
      ...(creators.size > 0 && { creators: [...strongest(creators, earlier?.creators).keys()] }),
      ...(tags.size > 0 && weightedTags(strongest(tags, earlier?.tags, earlier?.tagWeights))),
    };
  });
}

function add(counts: Map<string, number>, labels: readonly string[] = [], weights?: readonly number[]): void {
  for (const [i, label] of labels.entries()) counts.set(label, (counts.get(label) ?? 0) + (weights?.[i] ?? 1));
}

/** The strongest first, ties in the order of the file. */
function strongest(counts: ReadonlyMap<string, number>, labels?: readonly string[], weights?: readonly number[]): Map<string, number> {
  const all = new Map<string, number>();
  add(all, labels, weights);
  for (const [label, count] of counts) all.set(label, (all.get(label) ?? 0) + count);
  return new Map([...all].sort(([, a], [, b]) => b - a).slice(0, MAX_ITEM_LABELS));
}
