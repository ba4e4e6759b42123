import { KindredError } from "../schemas/errors.js";
import type { EpochMs, Offset, Partition, UserId } from "../schemas/ids.js";
import type { ProfileDetails, StateSummary, UserHistory, VerifyReport } from "../schemas/ports/admin.js";
import type { ChangelogRecord } from "../schemas/ports/changelog.js";
import type { FoldedBatch } from "../schemas/ports/folded-batch.js";
import type { StoreWrite } from "../schemas/ports/key-value-store.js";
import type { PublishedRows, RowSource } from "../schemas/ports/row-source.js";
import { asActive } from "./as-active.js";
import { encodeChanges } from "./change-record.js";
import { type ChangelogMark, decodeMark, encodeMark } from "./changelog-mark.js";
import type { FoldContext } from "./fold-context.js";
import { ItemFinder } from "./item-finder.js";
import { CHANGELOG_KEY, CHANGES_FROM_KEY, changeKey, META_KEY, UNSWEPT_KEY } from "./keys.js";
import { type OpenedPartition, openPartition, type PartitionStateOptions } from "./open-partition.js";
import { encodeMeta, type PartitionMeta, rowsAre, summaryOf } from "./partition-meta.js";
import { PartitionReader } from "./partition-reader.js";
import { encodeChangesFrom, PartitionUpkeep } from "./partition-upkeep.js";
import { toPublishedRows } from "./published-rows.js";
import { ReplicaChunk, type ReplicaPart } from "./replica-chunk.js";
import { ReplicaRows, readBefore } from "./replica-rows.js";
import { RowCache } from "./row-cache.js";
import { readRowHead } from "./row-record.js";
import { writeItems } from "./row-writes.js";
import { WriteArena } from "./write-arena.js";
import { WriteTurns } from "./write-turns.js";

export interface PartitionReplicaOptions
  extends Pick<PartitionStateOptions, "store" | "partition" | "catalogues" | "itemVectors" | "bands"> {
  /** Rows of a part, which is written at once; default 4,096. */
  readonly partRows?: number;
  /** How much `applyOn` keeps in memory, bytes; default 32 MiB. */
  readonly openBytes?: number;
}

const ARENA_BYTES = 1 << 20;
const NOTHING = { folded: 0, duplicates: 0, erased: 0, skipped: 0 } as const;

/**
 * The rows of a partition, made again from the changelog of whoever owns it, in a store like the owner's own: a PartitionState
 * opened on it when this one is settled goes on folding where the owner was. Feeds a recall node, keeps a standby warm, restores
 * what was lost, and brings a store up whose process ended between the changelog and the store.
 *
 * Rows are written in parts, so that memory is bounded also where a compacted changelog has its only position record at
 * the end. Between two of them, and while what is applied again overwrites what is newer, the rows are those of no commit: the store is
 * marked until they add up to what a position record says.
 */
export class PartitionReplica implements RowSource {
  readonly partition: Partition;
  readonly #options: PartitionReplicaOptions;
  #arena = new WriteArena(ARENA_BYTES);
  readonly #turns = new WriteTurns();
  /** What is taken and not written yet, and where reading goes on behind it. */
  #chunk = new ReplicaChunk();
  #chunkNext = 0;
  /** Whether what was written last ended a commit. */
  #tookAll = true;
  #opened!: OpenedPartition;
  #items!: ItemFinder;
  #meta!: PartitionMeta;
  #mark!: ChangelogMark;
  /** Contexts that rows may be of, oldest first; while a part is being written those of before and after. */
  #contexts!: readonly FoldContext[];
  #upkeep!: PartitionUpkeep;
  #reader!: PartitionReader;
  #failure: unknown;

  private constructor(options: PartitionReplicaOptions) {
    this.partition = options.partition;
    this.#options = options;
  }

  /** @throws KindredError STATE_CORRUPT, DIRECTORY_NEWER, UNKNOWN_CATALOGUE (rows are of a catalogue that is not stored) */
  static async open(options: PartitionReplicaOptions): Promise<PartitionReplica> {
    const replica = new PartitionReplica(options);
    const mark = decodeMark(await options.store.get(CHANGELOG_KEY), replica.#where);
    if (mark.resetting === true) await replica.#clear();
    await replica.#load();
    return replica;
  }

  /** How much of the changelog is applied: where reading goes on. 0 = nothing. */
  get changelogNext(): number {
    return this.#mark.next;
  }

  /** Whether the rows are those of a commit, so that a PartitionState may be opened on the store. True of an empty one. */
  get complete(): boolean {
    return this.#mark.between === undefined;
  }

  /** Whether what was taken last ends a commit; true where nothing was. */
  get atCommit(): boolean {
    return this.#chunk.empty ? this.#tookAll : this.#chunk.ended;
  }

  /** A lower bound of the log's records that the rows know of. */
  get appliedOffset(): Offset {
    return this.#meta.offset as Offset;
  }

  /** Newest event time of the newest commit. */
  get eventTime(): EpochMs {
    return this.#meta.eventTime;
  }

  /** As of the newest commit; the hash is that of the rows that are there. */
  summary(): StateSummary {
    return summaryOf(this.partition, this.#meta);
  }

  /**
   * Applies what follows what was taken last, in the order of the changelog; gives what readers are to see, in order. Where it fails, or the
   * process ends in it, the same records are applied again.
   * @param next where reading goes on behind them
   * @throws KindredError UNKNOWN_CATALOGUE (not stored yet), STATE_CORRUPT, DIRECTORY_NEWER, STORAGE_FAILED (open it again)
   */
  apply(records: readonly ChangelogRecord[], next: number): Promise<FoldedBatch[]> {
    return this.#turns.take(async () => {
      const batches: FoldedBatch[] = [];
      this.#take(records, next);
      await this.#writeChunk((made) => batches.push(this.#published(made)));
      return batches;
    });
  }

  /**
   * As `apply` for many records that nobody reads meanwhile: they are kept, the newest of each user, and written when they are many, so that a row
   * that changed often is made once. `apply` or `flush` ends it; readers are to be filled from the rows then.
   * @throws KindredError as `apply`
   */
  applyOn(records: readonly ChangelogRecord[], next: number): Promise<void> {
    return this.#turns.take(async () => {
      this.#take(records, next);
      if (this.#chunk.bytes >= (this.#options.openBytes ?? 32 << 20)) await this.#writeChunk();
    });
  }

  /** Writes what `applyOn` keeps. @param signal ends it between two parts: what is left is read again. @throws KindredError as `apply`; the signal's reason */
  flush(signal?: AbortSignal): Promise<void> {
    return this.#turns.take(async () => {
      await this.#writeChunk(() => signal?.throwIfAborted());
      // Of parts of thousands of rows: a few are written at once from now on.
      this.#arena = new WriteArena(ARENA_BYTES);
    });
  }

  /**
   * Forgets everything: for a changelog that begins behind `changelogNext`, where it may lack what says that rows are gone. What readers
   * have of the partition is to be filled anew. @throws KindredError STORAGE_FAILED
   */
  reset(): Promise<void> {
    return this.#turns.take(async () => {
      this.#check();
      await this.#upkeep.swept();
      await this.#store([], { next: 0, resetting: true }, true);
      try {
        await this.#clear();
        await this.#load();
        this.#chunk = new ReplicaChunk();
        this.#tookAll = true;
      } catch (error) {
        this.#failure = error;
        throw error;
      }
    });
  }

  /** As that of PartitionState. @throws KindredError STORAGE_FAILED */
  async snapshot(keepFrom: Offset): Promise<void> {
    this.#check();
    await this.#upkeep.snapshot(Math.min(keepFrom, this.#meta.offset));
  }

  /** Resolves when nothing is being written or swept: before the store is closed, or a PartitionState opened on it. @throws KindredError STORAGE_FAILED */
  settled(): Promise<void> {
    return this.#upkeep.settled();
  }

  /** A whole profile; undefined for an unknown user. */
  async profile(user: UserId): Promise<ProfileDetails | undefined> {
    this.#check();
    return this.#reader.profile(user);
  }

  /** What the profiles of users after `after` hold, for training. */
  async histories(after: UserId | "", limit: number): Promise<UserHistory[]> {
    this.#check();
    return this.#reader.histories(after, limit);
  }

  /** Recomputes hashes and derived fields of every row that is there. */
  async verify(): Promise<VerifyReport> {
    this.#check();
    return this.#reader.verify();
  }

  /** All rows that are there, in batches, as the active catalogue gives them. */
  scanRows(batchRows = 512): AsyncIterable<PublishedRows> {
    this.#check();
    return this.#reader.scanRows(batchRows);
  }

  /** Rows that may be others than they were when `appliedOffset` was `offset`; undefined where that is not known: scan all rows instead. */
  changedSince(offset: Offset, batchRows = 512): AsyncIterable<PublishedRows> | undefined {
    this.#check();
    return offset < this.#upkeep.changesFrom ? undefined : this.#reader.changedSince(offset, batchRows);
  }

  get #where(): string {
    return `partition ${this.partition}`;
  }

  async #load(): Promise<void> {
    const { store, partition } = this.#options;
    const opened = await openPartition(this.#options);
    this.#opened = opened;
    this.#items = new ItemFinder(opened.items);
    this.#meta = opened.meta;
    this.#mark = opened.mark;
    this.#chunkNext = opened.mark.next;
    this.#contexts = opened.contexts;
    this.#upkeep = new PartitionUpkeep(store, this.#turns, opened);
    this.#reader = new PartitionReader({ store, partition, contexts: () => [...this.#contexts], cache: new RowCache(1) });
  }

  async #clear(): Promise<void> {
    const { store } = this.#options;
    await store.clear({ lt: CHANGELOG_KEY });
    await store.clear({ gt: CHANGELOG_KEY });
    // Whoever was erased in what the changelog lacks now is among those who went: out of the files too.
    const unswept = { type: "put", key: UNSWEPT_KEY, value: new Uint8Array(0) } as const;
    await store.batch([unswept, { type: "del", key: CHANGELOG_KEY }], { sync: true });
  }

  #take(records: readonly ChangelogRecord[], next: number): void {
    this.#check();
    for (const record of records) this.#chunk.take(record, this.#where);
    this.#chunkNext = next;
  }

  /** What fails is kept, and written with what is taken next. */
  async #writeChunk(written?: (made: ReplicaRows) => void): Promise<void> {
    this.#check();
    const { partRows = 4096 } = this.#options;
    const [chunk, next] = [this.#chunk, this.#chunkNext];
    if (chunk.empty) {
      if (next !== this.#mark.next) await this.#store([], { ...this.#mark, next });
      return;
    }
    for (const part of chunk.parts(partRows)) {
      const made = await this.#write(part, part.last ? next : this.#mark.next);
      written?.(made);
    }
    this.#tookAll = chunk.ended;
    this.#chunk = new ReplicaChunk();
  }

  /** Writes a part of a chunk, and what the store says of itself then. Nothing of the replica changes before the store has it. */
  async #write(part: ReplicaPart, next: number): Promise<ReplicaRows> {
    const known = await this.#contextsOf(part);
    const before = await readBefore(this.#options.store, part);
    this.#arena.reset();
    const made = new ReplicaRows(this.#meta, this.#items, this.#arena, this.#options.bands ?? true);
    made.make(part, before, known);
    const { items } = this.#opened;
    const { erased, writes } = made;
    const { meta, mark } = metaAfter(part, made, { ...this.#meta, items: items.size }, known);
    writeItems(items, this.#meta.items, writes);
    if (part.rows.size > 0)
      writes.push({ type: "put", key: changeKey(meta.offset, meta.commit), value: encodeChanges([...part.rows.keys()]) });
    if (erased.length > 0) writes.push({ type: "put", key: UNSWEPT_KEY, value: new Uint8Array(0) });
    // What came before the first position record is under no offset that a reader could ask from.
    const begun = this.#meta.offset === 0 ? meta.offset : 0;
    if (begun > 0) writes.push({ type: "put", key: CHANGES_FROM_KEY, value: encodeChangesFrom(begun) });
    writes.push({ type: "put", key: META_KEY, value: encodeMeta(meta) });
    // What is read meanwhile may be of before or after.
    this.#contexts = inOrder(known.values());
    await this.#store(writes, { next, ...mark });
    this.#meta = meta;
    const used = new Set([...meta.activations, ...(mark.between ?? [])].map(({ activation }) => activation));
    this.#contexts = this.#contexts.filter(({ activation }) => used.has(activation));
    this.#upkeep.begunAt(begun);
    this.#upkeep.erased(erased, meta.offset);
    return made;
  }

  /** Contexts of the rows that are there and of those of a part, by activation. */
  async #contextsOf(part: ReplicaPart): Promise<Map<number, FoldContext>> {
    const contexts = new Map(this.#contexts.map((context) => [context.activation, context]));
    const heads = [...part.rows.values()].flatMap((value) => (value === null ? [] : [readRowHead(value, this.#where)]));
    for (const { activation, catalogue } of [...heads, ...(part.position?.activations ?? [])]) {
      const known = contexts.get(activation);
      if (known === undefined) contexts.set(activation, await this.#opened.makeContext(catalogue, activation));
      else if (known.catalogue.number !== catalogue)
        throw new KindredError(
          "STATE_CORRUPT",
          `activation ${activation} is of catalogue ${catalogue} here and of ${known.catalogue.number} elsewhere`,
          this.#where,
        );
    }
    return contexts;
  }

  #published({ users, erased }: ReplicaRows): FoldedBatch {
    const rows = users.map((user) => asActive(user, this.#contexts));
    return {
      partition: this.partition,
      endOffset: this.appliedOffset,
      eventTime: this.eventTime,
      ...toPublishedRows(rows, this.#contexts.at(-1), erased),
      rowsAre: rowsAre(this.#meta),
      counts: NOTHING,
    };
  }

  async #store(writes: readonly StoreWrite[], mark: ChangelogMark, sync = false): Promise<void> {
    try {
      await this.#options.store.batch([...writes, { type: "put", key: CHANGELOG_KEY, value: encodeMark(mark) }], { sync });
    } catch (error) {
      this.#failure = error;
      throw error;
    }
    this.#mark = mark;
  }

  #check(): void {
    if (this.#failure !== undefined)
      throw new KindredError("STORAGE_FAILED", "an earlier write failed; the replica has to be opened again", this.#where, {
        cause: this.#failure,
      });
  }
}

/** The meta once a part is in, and whether the rows are then those of a commit. @param meta of before, with the items of now */
function metaAfter(
  { position, ended }: ReplicaPart,
  { hash, rows, tombstones }: ReplicaRows,
  before: PartitionMeta,
  contexts: ReadonlyMap<number, FoldContext>,
): { meta: PartitionMeta; mark: Pick<ChangelogMark, "between"> } {
  const { items, commit } = before;
  const meta: PartitionMeta = { ...(position ?? before), hash, rows, tombstones, items, commit: commit + 1 };
  const addsUp = position?.hash === hash && position.rows === rows && position.tombstones === tombstones;
  if (ended && addsUp) return { meta, mark: {} };
  const between = inOrder(contexts.values())
    .filter(({ activation }) => meta.activations.every((one) => one.activation !== activation))
    .map(({ activation, catalogue }) => ({ activation, catalogue: catalogue.number }));
  return { meta, mark: { between } };
}

const inOrder = (contexts: Iterable<FoldContext>): FoldContext[] => [...contexts].sort((a, b) => a.activation - b.activation);
