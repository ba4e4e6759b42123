import { joinTexts, type NativeModel, openNativeModel } from "../../native/read-model.js";
import type { EpochMs, ItemId, ItemOrdinal, Offset, Partition, UserId, UserOrdinal } from "../../schemas/ids.js";
import type {
  ItemRecord,
  ItemsOfNeighbors,
  Ranked,
  ReadModelBatch,
  ReadModelReader,
  ReadModelStats,
  ReadModelWriter,
  UserRecord,
} from "../../schemas/ports/read-model.js";
import type { Position } from "../../schemas/position.js";
import { translated, translatedAsync } from "../native-errors.js";
import { packBatch } from "./pack-batch.js";
import { checkInfo, checkPosition, type ReadModelLimits, resolveLimits } from "./read-model-limits.js";

/** Item ordinals that a writer remembers, so that their ids need not cross again; forgotten all at once above it. */
const MAX_KNOWN_ITEMS = 1 << 20;

/**
 * The read model in the addon's memory. One thread creates it and writes; others attach by its handle and read while
 * it is written, never waiting. Answers as MemoryReadModel does, which says what each is, except that
 * `nearFingerprints` to distance 3 compares the newest `bucketCap` users of a bucket at most (`truncated`).
 * @throws KindredError INVALID_ARGUMENT from every method, for arguments out of range and once it is closed
 */
export class NativeReadModel implements ReadModelWriter, ReadModelReader {
  readonly #native: NativeModel;
  readonly #knownItems = new Map<string, number>();
  /** For `attach` in another thread of this process. */
  readonly handle: number;

  private constructor(native: NativeModel) {
    this.#native = native;
    this.handle = native.handle();
  }

  /** @throws KindredError INVALID_ARGUMENT, ADDON_MISSING */
  static create(limits: Partial<ReadModelLimits> = {}): NativeReadModel {
    const all = resolveLimits(limits);
    return translated(() => new NativeReadModel(openNativeModel(all)));
  }

  /** @throws KindredError INVALID_ARGUMENT when no model with this handle is open */
  static attach(handle: number): NativeReadModel {
    return translated(() => new NativeReadModel(openNativeModel(handle)));
  }

  /**
   * What `save` wrote into the directory, with the applied position of that moment; undefined where nothing was saved.
   * @throws KindredError SHARD_CORRUPT, DIRECTORY_NEWER, STORAGE_FAILED
   */
  static async open(directory: string, limits: Partial<ReadModelLimits> = {}): Promise<NativeReadModel | undefined> {
    const model = NativeReadModel.create(limits);
    let loaded = false;
    try {
      loaded = await translatedAsync(() => model.#native.load(directory));
    } finally {
      if (!loaded) model.close();
    }
    return loaded ? model : undefined;
  }

  /**
   * Writes `read-model.bin` into the directory, which must be there: complete or not at all. The writer is held up
   * only while the rows are listed, not while they are written.
   * @throws KindredError STORAGE_FAILED
   */
  save(directory: string): Promise<void> {
    return translatedAsync(() => this.#native.save(directory));
  }

  /** Queries under way still answer. The memory is freed when all who attached have closed. */
  close(): void {
    this.#native.close();
  }

  apply(batch: ReadModelBatch): Uint32Array {
    checkPosition(batch.partition, batch.offset, batch.eventTime);
    const packed = packBatch(batch, this.#knownItems);
    const ordinals = translated(() => this.#native.apply(packed.batch));
    const rows = batch.rows.length;
    if (this.#knownItems.size + packed.newItems.length > MAX_KNOWN_ITEMS) this.#knownItems.clear();
    for (const [i, item] of packed.newItems.entries()) this.#knownItems.set(item, ordinals[rows + i]!);
    return ordinals.subarray(0, rows);
  }

  setApplied(partition: Partition, offset: Offset, eventTime: EpochMs): void {
    translated(() => this.#native.setApplied(partition, offset, eventTime));
  }

  putItemInfo(items: readonly ItemId[], json: readonly string[]): void {
    checkInfo(items, json);
    const [ids, texts] = [joinTexts(items), joinTexts(json)];
    translated(() => this.#native.putItemInfo(ids.text, ids.lengths, texts.text, texts.lengths));
  }

  user(user: UserId): UserRecord | undefined {
    const found = translated(() => this.#native.user(user));
    return found === undefined ? undefined : { user, ...found };
  }

  userOrdinal(user: UserId): UserOrdinal | undefined {
    return translated(() => this.#native.userOrdinal(user)) as UserOrdinal | undefined;
  }

  profile(user: UserOrdinal): { readonly items: Uint32Array; readonly weights: Float32Array } | undefined {
    return translated(() => this.#native.profile(user));
  }

  userIds(ordinals: Uint32Array): UserId[] {
    return translated(() => this.#native.userIds(ordinals)) as UserId[];
  }

  item(item: ItemId): ItemRecord | undefined {
    return translated(() => this.#native.item(item));
  }

  itemOrdinal(item: ItemId): ItemOrdinal | undefined {
    return translated(() => this.#native.itemOrdinal(item)) as ItemOrdinal | undefined;
  }

  itemIds(ordinals: Uint32Array): ItemId[] {
    return translated(() => this.#native.itemIds(ordinals)) as ItemId[];
  }

  itemInfoJson(ordinals: Uint32Array): (string | null)[] {
    return translated(() => this.#native.itemInfoJson(ordinals));
  }

  applied(): { readonly position: Position; readonly eventTime: EpochMs } {
    const packed = translated(() => this.#native.applied());
    const position = new Map<Partition, Offset>();
    for (let i = 1; i < packed.length; i += 2) position.set(packed[i] as Partition, packed[i + 1] as Offset);
    return { position, eventTime: packed[0]! };
  }

  nearFingerprints(user: UserOrdinal, maxDistance: number, limit: number) {
    return translatedAsync(() => this.#native.nearFingerprints(user, maxDistance, limit));
  }

  fingerprintDistances(user: UserOrdinal, others: Uint32Array): Uint8Array {
    return translated(() => this.#native.fingerprintDistances(user, others));
  }

  itemsOfNeighbors(neighbors: Uint32Array, scores: Float32Array, exclude: Uint32Array, limit: number): Promise<ItemsOfNeighbors> {
    return translatedAsync(() => this.#native.itemsOfNeighbors(neighbors, scores, exclude, limit));
  }

  coOccurring(seeds: Uint32Array, weights: Float32Array, exclude: Uint32Array, limit: number): Promise<Ranked<ItemOrdinal>> {
    return translatedAsync(() => this.#native.coOccurring(seeds, weights, exclude, limit));
  }

  popularItems(limit: number): Ranked<ItemOrdinal> {
    return translated(() => this.#native.popularItems(limit));
  }

  recentUsers(limit: number): Uint32Array {
    return translated(() => this.#native.recentUsers(limit));
  }

  listenersOf(item: ItemOrdinal, limit: number): Uint32Array {
    return translated(() => this.#native.listenersOf(item, limit));
  }

  itemCount(): number {
    return translated(() => this.#native.itemCount());
  }

  stats(): ReadModelStats {
    return translated(() => this.#native.stats());
  }
}
