import { KindredError } from "../schemas/errors.js";
import type { CatalogueNumber, EpochMs, Offset, Partition, UserId } from "../schemas/ids.js";
import type { PositionedRecord } from "../schemas/log-record.js";
import type { ProfileDetails, StateSummary, UserHistory, VerifyReport } from "../schemas/ports/admin.js";
import type { ChangelogRecord, CommitAge } from "../schemas/ports/changelog.js";
import { type FoldedBatch, MAX_UNCOMMITTED } from "../schemas/ports/folded-batch.js";
import type { StoreWrite } from "../schemas/ports/key-value-store.js";
import type { PublishedRows, RowSource } from "../schemas/ports/row-source.js";
import { encodeMark } from "./changelog-mark.js";
import { ChangelogEncoder } from "./changelog-records.js";
import type { FoldContext } from "./fold-context.js";
import { type FoldTip, RecordFolder } from "./fold-records.js";
import { CHANGELOG_KEY, CHANGES_FROM_KEY, META_KEY, UNSWEPT_KEY } from "./keys.js";
import { openPartition, type PartitionStateOptions } from "./open-partition.js";
import { encodeMeta, type PartitionMeta, rowsAre, summaryOf } from "./partition-meta.js";
import { PartitionReader } from "./partition-reader.js";
import { encodeChangesFrom, PartitionUpkeep } from "./partition-upkeep.js";
import { BatchPreparer } from "./prepare-batch.js";
import { toPublishedRows } from "./published-rows.js";
import { RowCache } from "./row-cache.js";
import { HashSum } from "./state-hash.js";
import type { UserRow } from "./user-row.js";
import { ArenaPool, type WriteArena } from "./write-arena.js";
import { WriteTurns } from "./write-turns.js";

const NO_ROWS = { rows: [], erased: [], vectors: [] } as const;

interface PendingCommit {
  readonly batch: FoldedBatch;
  readonly writes: StoreWrite[];
  /** What the changelog is to have before the store; undefined without one. */
  readonly records: readonly ChangelogRecord[] | undefined;
  readonly meta: PartitionMeta;
  readonly touched: readonly UserRow[];
  readonly contexts: readonly FoldContext[];
  readonly erasedUsers: ReadonlySet<UserId>;
  readonly arena: WriteArena;
}

/**
 * The rows of one partition: records folded in, one atomic batch a commit. Fold and commit alternate; the next fold may run
 * while the last commit is being written. What fold needs is fetched first and may fail without harm (the same records can be
 * folded again); folding itself is synchronous. After a failed commit the object is of no more use: open the store again.
 */
export class PartitionState implements RowSource {
  readonly partition: Partition;
  readonly #options: PartitionStateOptions;
  readonly #tip: FoldTip;
  readonly #cache: RowCache;
  readonly #folder: RecordFolder;
  readonly #preparer: BatchPreparer;
  readonly #reader: PartitionReader;
  readonly #upkeep: PartitionUpkeep;
  readonly #arenas = new ArenaPool();
  readonly #encoder: ChangelogEncoder | undefined;
  readonly #turns = new WriteTurns();
  readonly #pending: PendingCommit[] = [];
  #committed: PartitionMeta;
  #changelogNext: number;
  /** Contexts that stored rows may be of, as of the last commit. */
  #storedContexts: readonly FoldContext[];
  #folding = false;
  #failure: unknown;

  private constructor(options: PartitionStateOptions, opened: Awaited<ReturnType<typeof openPartition>>) {
    this.partition = options.partition;
    this.#options = options;
    this.#committed = opened.meta;
    this.#changelogNext = opened.mark.next;
    this.#encoder = options.changelog && new ChangelogEncoder(opened.items);
    this.#storedContexts = [...opened.contexts];
    this.#upkeep = new PartitionUpkeep(options.store, this.#turns, opened);
    this.#tip = { ...opened.meta, contexts: opened.contexts, hash: HashSum.parse(opened.meta.hash) };
    this.#cache = new RowCache(options.cacheRows ?? 20_000);
    this.#folder = new RecordFolder(this.#tip, { bands: options.bands ?? true, changes: this.#publishes });
    const makeContext = opened.makeContext;
    this.#preparer = new BatchPreparer({
      store: options.store,
      tip: this.#tip,
      cache: this.#cache,
      makeContext,
      migrateRows: options.migrateRows ?? 256,
    });
    const contexts = (): FoldContext[] => this.#readable();
    this.#reader = new PartitionReader({ store: options.store, partition: options.partition, contexts, cache: this.#cache });
  }

  /**
   * @throws KindredError STATE_CORRUPT, DIRECTORY_NEWER, UNKNOWN_CATALOGUE (rows are of a catalogue that is not stored), STATE_INCOMPLETE
   * (a PartitionReplica has applied a part of a commit: it is to go on first)
   */
  static async open(options: PartitionStateOptions): Promise<PartitionState> {
    const opened = await openPartition(options);
    if (opened.mark.between !== undefined)
      throw new KindredError(
        "STATE_INCOMPLETE",
        "the state has a part of a commit only: its changelog is to be read on",
        `partition ${options.partition}`,
      );
    return new PartitionState(options, opened);
  }

  /** Committed up to here: where to read on after opening. */
  get appliedOffset(): Offset {
    return this.#committed.offset as Offset;
  }

  /** How much of the changelog the store has: where a PartitionReplica reads on. 0 = nothing, or there is none. */
  get changelogNext(): number {
    return this.#changelogNext;
  }

  /** Newest event time committed. */
  get eventTime(): EpochMs {
    return this.#committed.eventTime;
  }

  /** The catalogue of the newest fold; 0 before the first activation. */
  get activeCatalogue(): CatalogueNumber | 0 {
    return this.#active()?.catalogue.number ?? 0;
  }

  /** The lowest number of a catalogue that a stored row may be of, now or after any later commit; 0 before the first activation. */
  get oldestCatalogue(): CatalogueNumber | 0 {
    const numbers = this.#committed.activations.map(({ catalogue }) => catalogue);
    return numbers.length === 0 ? 0 : (Math.min(...numbers) as CatalogueNumber);
  }

  /** Whether rows still wait to be recomputed for the active catalogue: folding nothing carries that on. */
  get migrating(): boolean {
    return this.#tip.migratedTo !== null;
  }

  /** Rows in memory, for the gauge. */
  get cachedRows(): number {
    return this.#cache.size;
  }

  /** Different items met by this partition, for the gauge. */
  get knownItems(): number {
    return this.#tip.items;
  }

  /**
   * Folds records in the order of the log; those at or below the applied offset are skipped. While `migrating`, also recomputes
   * some rows of earlier catalogues, which are then among the batch's rows. `endOffset` may lie beyond the last record.
   * @throws KindredError UNKNOWN_CATALOGUE (an activation of a catalogue that is not stored, or an event before any activation),
   * STATE_CORRUPT, STORAGE_FAILED: nothing was folded; INVALID_ARGUMENT (called while folding, or too many uncommitted)
   */
  async fold(records: readonly PositionedRecord[], endOffset: Offset): Promise<FoldedBatch> {
    return this.#foldInTurn(records, endOffset, () => this.#seal());
  }

  /**
   * As `fold`, but what it makes of the records is kept for later: undefined, and rows that change again meanwhile are written once. A batch of
   * everything since the last one where that is much (`open`), or rows of earlier catalogues wait. `fold` ends it.
   */
  async foldOn(records: readonly PositionedRecord[], endOffset: Offset): Promise<FoldedBatch | undefined> {
    return this.#foldInTurn(records, endOffset, () => (this.#isDue() ? this.#seal() : undefined));
  }

  async #foldInTurn<T>(records: readonly PositionedRecord[], endOffset: Offset, result: () => T): Promise<T> {
    this.#check();
    if (this.#folding || this.#pending.length >= MAX_UNCOMMITTED)
      throw new KindredError("INVALID_ARGUMENT", this.#folding ? "one fold at a time" : "commit what was folded before folding more");
    this.#folding = true;
    try {
      const prepared = await this.#preparer.prepare(records, endOffset);
      this.#check();
      try {
        for (const row of this.#folder.add(prepared)) this.#cache.pin(row, this.#tip.commit);
        return result();
      } catch (error) {
        this.#failure = error;
        throw error;
      }
    } finally {
      this.#folding = false;
    }
  }

  /**
   * Writes a folded micro-batch, in the order of folding: to the changelog where there is one, then rows, keys, position and hash in one
   * atomic batch. Ended between the two, the store is a commit behind its changelog: a PartitionReplica brings it up, or the same
   * records are folded again and their rows overwrite what they equal.
   * @param acceptedAt when the log took the oldest of its records: readers of the changelog measure freshness from there
   * @throws KindredError STORAGE_FAILED, or what the changelog failed with (OWNERSHIP_LOST: the rows are another process's now)
   */
  async commit(folded: FoldedBatch, acceptedAt: EpochMs = 0): Promise<void> {
    this.#check();
    const pending = this.#pending.find(({ batch }) => batch === folded);
    if (pending === undefined) throw new KindredError("INVALID_ARGUMENT", "this micro-batch was not folded here, or was committed before");
    await this.#turns.take(() => this.#write(pending, { acceptedAt, events: folded.counts.folded }));
  }

  /** As of the last commit. */
  summary(): StateSummary {
    return summaryOf(this.partition, this.#committed);
  }

  /**
   * All commits so far are on the disk when it resolves; drops the change records of those that ended before `keepFrom`, the
   * position of the oldest shard set that may be reopened, and waits until users erased by then are gone from the files too.
   * @throws KindredError STORAGE_FAILED
   */
  async snapshot(keepFrom: Offset): Promise<void> {
    this.#check();
    await this.#upkeep.snapshot(Math.min(keepFrom, this.#committed.offset));
  }

  /** Resolves when erased users are being swept out of the files no more: before the store is closed. @throws KindredError STORAGE_FAILED */
  settled(): Promise<void> {
    return this.#upkeep.settled();
  }

  /** Contexts of which a row of the store may be, now or when what is pending is committed; oldest first. */
  #readable(): FoldContext[] {
    const all = [this.#storedContexts, ...this.#pending.map(({ contexts }) => contexts), this.#tip.contexts].flat();
    return [...new Set(all)].sort((a, b) => a.activation - b.activation);
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

  /** Recomputes hashes and derived fields of every row from its profile, streaming: a consistent view as of the call. */
  async verify(): Promise<VerifyReport> {
    this.#check();
    return this.#reader.verify();
  }

  /** All rows of the last commit, in batches, as the active catalogue gives them (those not yet migrated are recomputed on the way). */
  scanRows(batchRows = 512): AsyncIterable<PublishedRows> {
    this.#check();
    return this.#reader.scanRows(batchRows);
  }

  /**
   * Rows that changed in commits that ended at `offset` or later, as they are now; users erased since are named.
   * Undefined when the change records of that time were dropped: scan all rows instead.
   */
  changedSince(offset: Offset, batchRows = 512): AsyncIterable<PublishedRows> | undefined {
    this.#check();
    return offset < this.#upkeep.changesFrom ? undefined : this.#reader.changedSince(offset, batchRows);
  }

  #active(): FoldContext | undefined {
    return this.#tip.contexts.at(-1);
  }

  get #publishes(): boolean {
    return this.#options.publishes ?? true;
  }

  /** Rows of an earlier catalogue are brought up one catalogue after the other: none is left open while they are. */
  #isDue(): boolean {
    const { records, rows } = this.#options.open ?? { records: 131_072, rows: 16_384 };
    const { open } = this.#folder;
    return this.migrating || open.records >= records || open.rows >= rows;
  }

  #seal(): FoldedBatch {
    const arena = this.#arenas.take();
    const result = this.#folder.seal(arena);
    const tip = this.#tip;
    const meta: PartitionMeta = {
      offset: tip.offset,
      eventTime: tip.eventTime,
      activations: tip.contexts.map(({ activation, catalogue }) => ({ activation, catalogue: catalogue.number })),
      migratedTo: tip.migratedTo,
      hash: tip.hash.toString(),
      rows: tip.rows,
      tombstones: tip.tombstones,
      items: tip.items,
      commit: tip.commit,
    };
    const batch: FoldedBatch = {
      partition: this.partition,
      endOffset: tip.offset as Offset,
      eventTime: tip.eventTime,
      ...(this.#publishes ? toPublishedRows(result.touched, this.#active(), [...result.erasedUsers]) : NO_ROWS),
      rowsAre: rowsAre(meta),
      counts: { folded: result.folded, duplicates: result.duplicates, erased: result.erased, skipped: result.skipped },
    };
    this.#pending.push({
      batch,
      writes: result.writes.concat(
        // Whoever reads the store later is to know that it does not say who changed.
        ...(this.#publishes ? [] : [{ type: "put", key: CHANGES_FROM_KEY, value: encodeChangesFrom(meta.offset + 1) } as const]),
        ...(result.erasedUsers.size > 0 ? [{ type: "put", key: UNSWEPT_KEY, value: new Uint8Array(0) } as const] : []),
        { type: "put", key: META_KEY, value: encodeMeta(meta) },
      ),
      records: this.#encoder?.encode(result.touched, result.erasedUsers, meta, arena),
      meta,
      touched: result.touched,
      contexts: [...tip.contexts],
      erasedUsers: result.erasedUsers,
      arena,
    });
    return batch;
  }

  async #write(pending: PendingCommit, age: CommitAge): Promise<void> {
    this.#check();
    if (this.#pending[0] !== pending)
      throw new KindredError("INVALID_ARGUMENT", "micro-batches are committed in the order they were folded");
    const { records, writes } = pending;
    let next = this.#changelogNext;
    try {
      if (records !== undefined && this.#options.changelog !== undefined) {
        next = await this.#options.changelog.write(records, age);
        writes.push({ type: "put", key: CHANGELOG_KEY, value: encodeMark({ next }) });
      }
      await this.#options.store.batch(writes, { sync: this.#options.syncCommits ?? false });
    } catch (error) {
      this.#failure = error;
      throw error;
    }
    this.#pending.shift();
    this.#arenas.give(pending.arena);
    this.#committed = pending.meta;
    this.#changelogNext = next;
    this.#storedContexts = pending.contexts;
    if (!this.#publishes) this.#upkeep.begunAt(pending.meta.offset + 1);
    this.#cache.unpin(pending.touched, pending.meta.commit);
    this.#upkeep.erased([...pending.erasedUsers], pending.meta.offset);
  }

  #check(): void {
    if (this.#failure !== undefined)
      throw new KindredError(
        this.#failure instanceof KindredError ? this.#failure.code : "STORAGE_FAILED",
        "an earlier batch could not be written; the state has to be opened again",
        `partition ${this.partition}`,
        { cause: this.#failure },
      );
  }
}
