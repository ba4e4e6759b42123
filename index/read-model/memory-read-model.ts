import type { EpochMs, ItemId, ItemOrdinal, Offset, Partition, UserId, UserOrdinal } from "../../schemas/ids.js";
import type {
  ItemRecord,
  ItemsOfNeighbors,
  PublishedRow,
  Ranked,
  ReadModelBatch,
  ReadModelReader,
  ReadModelStats,
  ReadModelWriter,
  UserRecord,
} from "../../schemas/ports/read-model.js";
import type { Position } from "../../schemas/position.js";
import type { ReadModelLimits } from "./read-model-limits.js";
import {
  checkInfo,
  checkLimit,
  checkOrdinals,
  checkPosition,
  checkRows,
  checkScores,
  invalid,
  isInteger,
  resolveLimits,
} from "./read-model-limits.js";

interface User {
  readonly id: UserId;
  readonly partition: Partition;
  readonly row: PublishedRow;
  readonly items: readonly number[];
  /** Items with weight > 0, to their weight. */
  readonly liked: ReadonlyMap<number, number>;
  readonly fingerprint: bigint | null;
}

interface Item {
  readonly id: ItemId;
  /** Users whose profile holds it with weight > 0. */
  users: number;
  /** User ordinals, oldest first: who began to like it, bounded. */
  readonly listeners: number[];
  infoJson: string | null;
}

const toFingerprint = (row: PublishedRow): bigint => (BigInt(row.fingerprintHi >>> 0) << 32n) | BigInt(row.fingerprintLo >>> 0);
const byId = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function distanceOf(a: bigint, b: bigint): number {
  let distance = 0;
  for (let rest = a ^ b; rest > 0n; rest &= rest - 1n) distance++;
  return distance;
}

/**
 * The read model in plain TypeScript, an oracle of the tests that no server runs: what it answers is the definition for
 * every other implementation. Ordinals are given in the order of first appearance. Ties by id go by UTF-16 code units.
 *
 * - An item's *users* are those whose current profile holds it with weight > 0.
 * - An item's *listeners* are a bounded log: a user enters it when a publication gives the item a weight > 0 that the
 *   user's publication before did not. The newest `listenersPerItem` entries are kept; who no longer holds the item
 *   counts for nothing and is not replaced by an older one.
 * - Erasing removes the record and the id: neither `user` nor `userOrdinal` know it, `userIds` gives "" for its
 *   ordinal. A user who comes back gets a new ordinal. In one batch erasures come before rows.
 * - Scores are sums in double precision in the order given, rounded to float32, and ordered by the rounded score.
 */
export class MemoryReadModel implements ReadModelWriter, ReadModelReader {
  readonly #limits: ReadModelLimits;
  readonly #users: (User | null)[] = [];
  readonly #userOrdinals = new Map<string, number>();
  readonly #items: Item[] = [];
  readonly #itemOrdinals = new Map<string, number>();
  readonly #publications: number[] = [];
  readonly #position = new Map<Partition, Offset>();
  #eventTime: EpochMs = 0;

  constructor(limits: Partial<ReadModelLimits> = {}) {
    this.#limits = resolveLimits(limits);
  }

  apply(batch: ReadModelBatch): Uint32Array {
    checkRows(batch);
    for (const user of batch.erased) this.#erase(user);
    return Uint32Array.from(batch.rows, (row) => this.#publish(row, batch.partition));
  }

  /** Never goes back: a lower offset or event time than the one set leaves it. */
  setApplied(partition: Partition, offset: Offset, eventTime: EpochMs): void {
    checkPosition(partition, offset, eventTime);
    if (offset >= (this.#position.get(partition) ?? 0)) this.#position.set(partition, offset);
    this.#eventTime = Math.max(this.#eventTime, eventTime);
  }

  putItemInfo(items: readonly ItemId[], json: readonly string[]): void {
    checkInfo(items, json);
    items.forEach((item, i) => {
      this.#items[this.#itemOf(item)]!.infoJson = json[i]!;
    });
  }

  user(user: UserId): UserRecord | undefined {
    const ordinal = this.#userOrdinals.get(user);
    const found = ordinal === undefined ? null : this.#users[ordinal]!;
    if (found === null) return undefined;
    return {
      ordinal: ordinal as UserOrdinal,
      user: found.id,
      fingerprint: found.fingerprint === null ? null : found.fingerprint.toString(16).padStart(16, "0"),
      events: found.row.events,
      updatedAt: found.row.updatedAt,
      partition: found.partition,
      offset: found.row.offset,
      items: [...found.row.items],
      weights: found.row.weights.slice(),
    };
  }

  userOrdinal(user: UserId): UserOrdinal | undefined {
    return this.#userOrdinals.get(user) as UserOrdinal | undefined;
  }

  profile(user: UserOrdinal): { readonly items: Uint32Array; readonly weights: Float32Array } | undefined {
    checkOrdinals(Uint32Array.of(user), this.#users.length, "user");
    const found = this.#users[user];
    return found ? { items: Uint32Array.from(found.items), weights: found.row.weights.slice() } : undefined;
  }

  userIds(ordinals: Uint32Array): UserId[] {
    checkOrdinals(ordinals, this.#users.length, "user");
    return Array.from(ordinals, (ordinal) => this.#users[ordinal]?.id ?? ("" as UserId));
  }

  item(item: ItemId): ItemRecord | undefined {
    const ordinal = this.#itemOrdinals.get(item);
    if (ordinal === undefined) return undefined;
    const { users, infoJson } = this.#items[ordinal]!;
    return { ordinal: ordinal as ItemOrdinal, item, users, infoJson };
  }

  itemOrdinal(item: ItemId): ItemOrdinal | undefined {
    return this.#itemOrdinals.get(item) as ItemOrdinal | undefined;
  }

  itemIds(ordinals: Uint32Array): ItemId[] {
    checkOrdinals(ordinals, this.#items.length, "item");
    return Array.from(ordinals, (ordinal) => this.#items[ordinal]!.id);
  }

  itemInfoJson(ordinals: Uint32Array): (string | null)[] {
    checkOrdinals(ordinals, this.#items.length, "item");
    return Array.from(ordinals, (ordinal) => this.#items[ordinal]!.infoJson);
  }

  /** The highest offset set of each partition, and the latest event time set of all. */
  applied(): { readonly position: Position; readonly eventTime: EpochMs } {
    return { position: new Map(this.#position), eventTime: this.#eventTime };
  }

  /** Empty where the user has no fingerprint or was erased. `truncated` is always false here: every user is looked at. */
  async nearFingerprints(user: UserOrdinal, maxDistance: number, limit: number) {
    checkOrdinals(Uint32Array.of(user), this.#users.length, "user");
    if (!isInteger(maxDistance, 0, 64)) throw invalid("maxDistance must be an integer of 0 to 64");
    checkLimit(limit);
    const own = this.#users[user]?.fingerprint ?? null;
    const found: { ordinal: number; id: string; distance: number }[] = [];
    let candidates = 0;
    this.#users.forEach((other, ordinal) => {
      if (own === null || other === null || other.fingerprint === null || ordinal === user) return;
      candidates++;
      const distance = distanceOf(own, other.fingerprint);
      if (distance <= maxDistance) found.push({ ordinal, id: other.id, distance });
    });
    found.sort((a, b) => a.distance - b.distance || byId(a.id, b.id)).splice(limit);
    return {
      ordinals: Uint32Array.from(found, (f) => f.ordinal),
      distances: Uint8Array.from(found, (f) => f.distance),
      candidates,
      truncated: false,
    };
  }

  /** 255 everywhere when `user` has no fingerprint. */
  fingerprintDistances(user: UserOrdinal, others: Uint32Array): Uint8Array {
    checkOrdinals(Uint32Array.of(user), this.#users.length, "user");
    checkOrdinals(others, this.#users.length, "user");
    const own = this.#users[user]?.fingerprint ?? null;
    return Uint8Array.from(others, (ordinal) => {
      const other = this.#users[ordinal]?.fingerprint ?? null;
      return own === null || other === null ? 255 : distanceOf(own, other);
    });
  }

  /**
   * score(i) = sum over the neighbours n with score > 0 of score(n) * w(n, i) / (sum of n's positive weights), over liked
   * items (w > 0). `via` is the row of the largest single contribution, the first of equals. A neighbour given twice
   * counts twice; an erased one contributes nothing.
   */
  async itemsOfNeighbors(neighbors: Uint32Array, scores: Float32Array, exclude: Uint32Array, limit: number): Promise<ItemsOfNeighbors> {
    checkOrdinals(neighbors, this.#users.length, "user");
    checkScores(scores, neighbors, "scores");
    checkOrdinals(exclude, this.#items.length, "item");
    checkLimit(limit);
    const sums = new Map<number, { score: number; best: number; via: number }>();
    neighbors.forEach((neighbor, via) => {
      const liked = this.#users[neighbor]?.liked;
      const score = scores[via]!;
      if (liked === undefined || score <= 0) return;
      let total = 0;
      for (const weight of liked.values()) total += weight;
      for (const [item, weight] of liked) {
        const contribution = (score * weight) / total;
        const sum = sums.get(item) ?? { score: 0, best: 0, via };
        sum.score += contribution;
        if (contribution > sum.best) Object.assign(sum, { best: contribution, via });
        sums.set(item, sum);
      }
    });
    for (const item of exclude) sums.delete(item);
    const ranked = this.#rank(new Map([...sums].map(([item, sum]) => [item, sum.score])), limit);
    return { ...ranked, via: Uint32Array.from(ranked.ordinals, (item) => sums.get(item)!.via) };
  }

  /**
   * score(i) = sum over seeds s of weight(s) * co(s, i) / sqrt(n(s) * users(i)), where n(s) counts the seed's newest
   * listeners looked at (at most `listenersPerSeed`, who hold it with weight > 0 now) and co(s, i) those of them who
   * hold i with weight > 0. Only scores > 0; seeds and `exclude` are left out. A seed given twice counts twice.
   */
  async coOccurring(seeds: Uint32Array, weights: Float32Array, exclude: Uint32Array, limit: number): Promise<Ranked<ItemOrdinal>> {
    checkOrdinals(seeds, this.#items.length, "item");
    checkScores(weights, seeds, "weights");
    checkOrdinals(exclude, this.#items.length, "item");
    checkLimit(limit);
    const sums = new Map<number, number>();
    seeds.forEach((seed, s) => {
      const listeners = this.#listenersOf(seed).slice(0, this.#limits.listenersPerSeed);
      const together = new Map<number, number>();
      for (const user of listeners) for (const item of this.#users[user]!.liked.keys()) together.set(item, (together.get(item) ?? 0) + 1);
      for (const [item, co] of together) {
        const cosine = co / Math.sqrt(listeners.length * this.#items[item]!.users);
        sums.set(item, (sums.get(item) ?? 0) + weights[s]! * cosine);
      }
    });
    for (const item of [...seeds, ...exclude]) sums.delete(item);
    return this.#rank(sums, limit);
  }

  /** By users, most first; items with none are left out. The score is their number. */
  popularItems(limit: number): Ranked<ItemOrdinal> {
    checkLimit(limit);
    return this.#rank(new Map(this.#items.map((item, ordinal) => [ordinal, item.users])), limit);
  }

  /** Most recently published first, among the newest `recentPublications` publications. */
  recentUsers(limit: number): Uint32Array {
    checkLimit(limit);
    const newest = new Set([...this.#publications].reverse().filter((ordinal) => this.#users[ordinal] !== null));
    return Uint32Array.from([...newest].slice(0, limit));
  }

  listenersOf(item: ItemOrdinal, limit: number): Uint32Array {
    checkOrdinals(Uint32Array.of(item), this.#items.length, "item");
    checkLimit(limit);
    return Uint32Array.from(this.#listenersOf(item).slice(0, limit));
  }

  itemCount(): number {
    return this.#items.length;
  }

  stats(): ReadModelStats {
    const fingerprints = this.#users.filter((user) => user !== null && user.fingerprint !== null).length;
    return {
      users: this.#userOrdinals.size,
      items: this.#items.length,
      fingerprints,
      memoryBytes: 0,
      staleBandEntries: 0,
      largestBucket: 0,
      bucketsOverCap: 0,
    };
  }

  #publish(row: PublishedRow, partition: Partition): number {
    const ordinal = this.#userOrdinals.get(row.user) ?? this.#users.push(null) - 1;
    this.#userOrdinals.set(row.user, ordinal);
    const items = row.items.map((item) => this.#itemOf(item));
    const liked = new Map(items.map((item, i) => [item, row.weights[i]!] as const).filter(([, weight]) => weight > 0));
    const before = this.#users[ordinal]?.liked;
    for (const item of liked.keys()) if (!before?.has(item)) this.#join(this.#items[item]!, ordinal);
    for (const item of before?.keys() ?? []) if (!liked.has(item)) this.#items[item]!.users--;
    const kept = { ...row, items: [...row.items], weights: row.weights.slice() };
    this.#users[ordinal] = {
      id: row.user,
      partition,
      row: kept,
      items,
      liked,
      fingerprint: row.hasFingerprint ? toFingerprint(row) : null,
    };
    this.#publications.push(ordinal);
    if (this.#publications.length > this.#limits.recentPublications) this.#publications.shift();
    return ordinal;
  }

  #join(item: Item, user: number): void {
    item.users++;
    item.listeners.push(user);
    if (item.listeners.length > this.#limits.listenersPerItem) item.listeners.shift();
  }

  #erase(user: UserId): void {
    const ordinal = this.#userOrdinals.get(user);
    if (ordinal === undefined) return;
    for (const item of this.#users[ordinal]!.liked.keys()) this.#items[item]!.users--;
    this.#users[ordinal] = null;
    this.#userOrdinals.delete(user);
  }

  #itemOf(item: ItemId): number {
    let ordinal = this.#itemOrdinals.get(item);
    if (ordinal === undefined) {
      ordinal = this.#items.push({ id: item, users: 0, listeners: [], infoJson: null }) - 1;
      this.#itemOrdinals.set(item, ordinal);
    }
    return ordinal;
  }

  #listenersOf(item: number): number[] {
    const listeners = new Set([...this.#items[item]!.listeners].reverse());
    return [...listeners].filter((user) => this.#users[user]?.liked.has(item));
  }

  #rank(scores: ReadonlyMap<number, number>, limit: number): Ranked<ItemOrdinal> {
    const ranked = [...scores]
      .map(([item, score]) => ({ item, score: Math.fround(score), id: this.#items[item]!.id }))
      .filter(({ score }) => score > 0);
    ranked.sort((a, b) => b.score - a.score || byId(a.id, b.id)).splice(limit);
    return { ordinals: Uint32Array.from(ranked, (r) => r.item), scores: Float32Array.from(ranked, (r) => r.score) };
  }
}
