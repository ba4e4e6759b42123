import { KindredError } from "../schemas/errors.js";
import type { CatalogueNumber, ItemId } from "../schemas/ids.js";
import { decodeChanges } from "./change-record.js";
import { FoldContext } from "./fold-context.js";
import { ItemCounts } from "./item-counts.js";
import { ItemTable } from "./item-table.js";
import { CHANGES, COUNTS, commitOfChangeKey, ITEMS, META_KEY } from "./keys.js";
import { decodeMeta, EMPTY_META, type PartitionMeta } from "./partition-meta.js";
import type { PartitionStateOptions } from "./partition-state.js";

export type MakeContext = (catalogue: CatalogueNumber, activation: number) => Promise<FoldContext>;

export interface OpenedPartition {
  readonly meta: PartitionMeta;
  readonly contexts: FoldContext[];
  readonly counts: ItemCounts;
  readonly changesFrom: number;
  readonly makeContext: MakeContext;
}

/** Reads what a partition keeps in memory: meta, item ids, item counts (snapshot plus the changes after it), contexts of the catalogues in use. */
export async function openPartition(options: PartitionStateOptions): Promise<OpenedPartition> {
  const where = `partition ${options.partition}`;
  const stored = await options.store.get(META_KEY);
  const meta = stored === undefined ? EMPTY_META : decodeMeta(stored, where);
  const items = new ItemTable();
  for await (const [, value] of options.store.iterate(ITEMS)) items.ordinal(Buffer.from(value).toString("utf8") as ItemId);
  if (items.size !== meta.items)
    throw new KindredError("STATE_CORRUPT", `${items.size} items are stored where the meta says ${meta.items}`, where);
  const makeContext: MakeContext = async (number, activation) => {
    const catalogue = await options.catalogues.get(number);
    if (catalogue === undefined) throw new KindredError("UNKNOWN_CATALOGUE", `catalogue ${number} is not stored`, where);
    return new FoldContext(catalogue, activation, items, options.itemVectors);
  };
  const contexts: FoldContext[] = [];
  for (const { catalogue, activation } of meta.activations) contexts.push(await makeContext(catalogue, activation));
  return { meta, contexts, makeContext, ...(await loadCounts(options)) };
}

async function loadCounts(options: PartitionStateOptions): Promise<{ counts: ItemCounts; changesFrom: number }> {
  const counts = new ItemCounts();
  let head = { commit: 0, changesFrom: 0 };
  for await (const [key, value] of options.store.iterate(COUNTS)) head = counts.load(key, value) ?? head;
  for await (const [key, value] of options.store.iterate(CHANGES))
    if (commitOfChangeKey(key) > head.commit) counts.apply(decodeChanges(value).items);
  return { counts, changesFrom: head.changesFrom };
}
