import type { ItemVectors, ItemVectorsOf } from "../schemas/catalogue.js";
import { KindredError } from "../schemas/errors.js";
import type { CatalogueNumber, ItemId, Partition } from "../schemas/ids.js";
import type { ChangelogWriter } from "../schemas/ports/changelog.js";
import type { CatalogueStore } from "../schemas/ports/event-log.js";
import type { KeyValueStore } from "../schemas/ports/key-value-store.js";
import { type ChangelogMark, decodeMark } from "./changelog-mark.js";
import { FoldContext, type MakeContext } from "./fold-context.js";
import { ItemTable } from "./item-table.js";
import { ALL_BANDS, CHANGELOG_KEY, ITEMS, META_KEY, UNSWEPT_KEY } from "./keys.js";
import { decodeMeta, EMPTY_META, type PartitionMeta } from "./partition-meta.js";
import { readChangesFrom } from "./partition-upkeep.js";

export interface PartitionStateOptions {
  /** A store of this partition's own. It stays the caller's to close, after the last commit. */
  readonly store: KeyValueStore;
  readonly partition: Partition;
  readonly catalogues: CatalogueStore;
  /** Item vectors of a live generation. */
  readonly itemVectors: ItemVectorsOf;
  /** Rows kept in memory beside those not yet written; default 20,000 (about 5 KB each when full, at the defaults). */
  readonly cacheRows?: number;
  /** Rows that one fold migrates in the background after an activation; default 256. */
  readonly migrateRows?: number;
  /** The catalogue that holds before the first record that activates one; absent: no event may come before it. */
  readonly initialCatalogue?: CatalogueNumber;
  /** Where each commit goes before the store has it; absent: nowhere, as where the log is all there on this machine. */
  readonly changelog?: ChangelogWriter;
  /**
   * Whether the store has the band keys of fingerprints; default true. False where nobody looks them up in the store, since whoever searches
   * them makes them of the rows. All who open a store are to say the same; what it has of them otherwise is removed.
   */
  readonly bands?: boolean;
  /** Whether somebody reads rows from here; default true. False: batches have no rows, and the store does not say who changed with which. */
  readonly publishes?: boolean;
  /** Where `foldOn` seals by itself; defaults 131,072 records and 16,384 rows that changed. */
  readonly open?: { readonly records: number; readonly rows: number };
  /** Whether each commit waits for the disk. Default false: the log is the truth, and what a power cut takes is folded again. */
  readonly syncCommits?: boolean;
}

export interface OpenedPartition {
  readonly meta: PartitionMeta;
  /** Those that rows may be of, oldest first. */
  readonly contexts: FoldContext[];
  readonly items: ItemTable;
  readonly mark: ChangelogMark;
  readonly changesFrom: number;
  /** Erased users may still lie in the files. */
  readonly unswept: boolean;
  readonly makeContext: MakeContext;
}

/** Reads what a partition keeps in memory: meta, item ids, contexts of the catalogues in use. @throws KindredError STATE_CORRUPT, STATE_INCOMPLETE, DIRECTORY_NEWER, UNKNOWN_CATALOGUE */
export async function openPartition(
  options: Pick<PartitionStateOptions, "store" | "partition" | "catalogues" | "itemVectors" | "initialCatalogue" | "bands">,
): Promise<OpenedPartition> {
  const where = `partition ${options.partition}`;
  const mark = decodeMark(await options.store.get(CHANGELOG_KEY), where);
  if (mark.resetting === true)
    throw new KindredError("STATE_INCOMPLETE", "the state is being forgotten, to be made anew from its changelog", where);
  // Erasures would pass over them.
  if (options.bands === false) await options.store.clear(ALL_BANDS);
  const stored = await options.store.get(META_KEY);
  const meta = stored === undefined ? EMPTY_META : decodeMeta(stored, where);
  const items = new ItemTable();
  for await (const [, value] of options.store.iterate(ITEMS)) items.ordinal(Buffer.from(value).toString("utf8") as ItemId);
  if (items.size !== meta.items)
    throw new KindredError("STATE_CORRUPT", `${items.size} items are stored where the meta says ${meta.items}`, where);
  const makeContext: MakeContext = async (number, activation) => {
    const catalogue = await options.catalogues.get(number);
    if (catalogue === undefined) throw new KindredError("UNKNOWN_CATALOGUE", `catalogue ${number} is not stored`, where);
    const vectors = await Promise.all(catalogue.generations.map(options.itemVectors));
    return new FoldContext(catalogue, activation, items, (ref) => vectors[catalogue.generations.indexOf(ref)] as ItemVectors);
  };
  const contexts: FoldContext[] = [];
  const activations = [...meta.activations, ...(mark.between ?? [])].sort((a, b) => a.activation - b.activation);
  const { initialCatalogue } = options;
  if (activations.length === 0 && initialCatalogue !== undefined) activations.push({ activation: 1, catalogue: initialCatalogue });
  for (const { catalogue, activation } of activations) contexts.push(await makeContext(catalogue, activation));
  const unswept = (await options.store.get(UNSWEPT_KEY)) !== undefined;
  return { meta, contexts, items, mark, makeContext, unswept, changesFrom: await readChangesFrom(options.store) };
}
