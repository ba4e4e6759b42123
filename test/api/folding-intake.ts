import { MemoryReadModel } from "../../index/read-model/memory-read-model.js";
import { ExactEngine } from "../../index/vector-engine/exact-engine.js";
import type { FoldSettings, ItemVectors } from "../../schemas/catalogue.js";
import { WEIGHT_ONE } from "../../schemas/catalogue.js";
import { KindredError } from "../../schemas/errors.js";
import type { BehaviourEvent } from "../../schemas/event.js";
import type { Generation, ItemId, Offset, Partition, UserId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { HistoriesPage, HistoriesPlace, ProfileDetails, StateOwner, UserHistory } from "../../schemas/ports/admin.js";
import type { AppliedPosition, EventIntake } from "../../schemas/ports/event-log.js";
import { covers, type Position } from "../../schemas/position.js";

export const DIMS = 16;
export const ACTIONS: FoldSettings["actions"] = { play: WEIGHT_ONE, like: 2 * WEIGHT_ONE, skip: -WEIGHT_ONE };
const PARTITION = 0 as Partition;

/** Made up of the id: the same item always has the same vector. Items of the kind `mute` have none. */
export const itemVectors: ItemVectors = {
  dims: DIMS,
  vector(item) {
    if (item.startsWith("mute:")) return undefined;
    let state = 2166136261;
    for (const char of item) state = Math.imul(state ^ char.charCodeAt(0), 16777619);
    return Int16Array.from({ length: DIMS }, () => {
      state = Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9;
      return ((state >>> 8) % 2001) - 1000;
    });
  },
};

interface Row {
  readonly weights: Map<ItemId, number>;
  events: number;
  updatedAt: number;
  offset: number;
}

/**
 * Log, fold and publishing in one small class, for tests of the HTTP side: what is appended is recallable at once, or
 * when `apply()` is called after `hold = true`.
 */
export class FoldingIntake implements EventIntake, AppliedPosition, StateOwner {
  readonly readModel = new MemoryReadModel();
  readonly engine = new ExactEngine({ dims: DIMS, metric: "cosine", generation: 0 as Generation });
  readonly rows = new Map<UserId, Row>();
  readonly infos = new Map<ItemId, ItemInfo>();
  hold = false;
  overloaded = false;
  readonly erasures: { user: UserId; at: number }[] = [];
  /** Given to each user by the test; nobody has one otherwise. */
  readonly fingerprints = new Map<string, number>();
  #offset = 0;
  #eventTime = 0;
  #waiting: (() => void)[] = [];
  #pending: (() => void)[] = [];

  async append(events: readonly BehaviourEvent[]): Promise<Position> {
    if (this.overloaded) throw new KindredError("OVERLOADED", "the queue is full", undefined, { retryAfterSeconds: 2 });
    const position = this.#take(events.length);
    this.#later(() => this.#fold(events, position.get(PARTITION)!));
    return position;
  }

  async putItems(items: readonly ItemInfo[]): Promise<void> {
    for (const info of items) this.infos.set(info.item, info);
    this.readModel.putItemInfo(
      items.map(({ item }) => item),
      items.map((info) => JSON.stringify(info)),
    );
  }

  async erase(user: UserId, at: number) {
    const position = this.#take(1);
    const payloadKeyDropped = this.rows.has(user);
    this.erasures.push({ user, at });
    this.#later(() => {
      const ordinal = this.readModel.userOrdinal(user);
      const offset = position.get(PARTITION)!;
      this.rows.delete(user);
      this.readModel.apply({ partition: PARTITION, offset, eventTime: at, rows: [], erased: [user] });
      if (ordinal !== undefined) this.engine.remove(Uint32Array.of(ordinal));
      this.#applied(offset);
    });
    return { position, payloadKeyDropped };
  }

  current() {
    return this.readModel.applied();
  }

  async waitFor(position: Position, timeoutMs: number): Promise<boolean> {
    const deadline = Date.now() + timeoutMs;
    while (!covers(this.current().position, position)) {
      const left = deadline - Date.now();
      if (left <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return true;
  }

  /** Applies what was held back. */
  apply(): void {
    for (const work of this.#pending.splice(0)) work();
  }

  async profile(user: UserId): Promise<ProfileDetails | undefined> {
    const row = this.rows.get(user);
    if (row === undefined) return undefined;
    const items = sorted(row).map(([item, weight]) => ({ item, weight, ts: row.updatedAt }));
    const keywords = items.map(({ item, weight }) => ({ keyword: `item ${item}`, weight }));
    const totalWeight = items.reduce((sum, { weight }) => sum + Math.abs(weight), 0);
    return {
      user,
      fingerprint: null,
      events: row.events,
      updatedAt: row.updatedAt,
      partition: PARTITION,
      offset: row.offset as Offset,
      catalogue: 1 as never,
      totalWeight,
      items,
      keywords,
      accumulators: [1, -2],
    };
  }

  async histories(after: HistoriesPlace | undefined, limit: number): Promise<HistoriesPage> {
    const users = [...this.rows.keys()].sort().filter((user) => user > (after?.user ?? ""));
    const histories = users.slice(0, limit).map((user): UserHistory => {
      const row = this.rows.get(user)!;
      const items = [...row.weights.keys()];
      return { user, items, weights: [...row.weights.values()], times: items.map(() => row.updatedAt) };
    });
    return { histories, ...(users.length > limit && { next: { partition: PARTITION, user: histories.at(-1)!.user } }) };
  }

  async itemInfos(items: readonly ItemId[]) {
    return items.map((item) => this.infos.get(item));
  }

  async summary() {
    return { hash: "00ff".repeat(8), rows: this.rows.size, position: this.current().position, catalogue: 1 as never, migrating: false };
  }

  async verify() {
    return { rows: this.rows.size, storedHash: "a", recomputedHash: "a", faults: [], faultCount: 0 };
  }

  #take(count: number): Map<Partition, Offset> {
    this.#offset += count;
    return new Map([[PARTITION, this.#offset as Offset]]);
  }

  #later(work: () => void): void {
    this.#pending.push(work);
    if (!this.hold) this.apply();
  }

  #fold(events: readonly BehaviourEvent[], offset: Offset): void {
    for (const { user, item, action, ts } of events) {
      const row = this.rows.get(user) ?? { weights: new Map(), events: 0, updatedAt: 0, offset: 0 };
      this.rows.set(user, row);
      row.weights.set(item, (row.weights.get(item) ?? 0) + ACTIONS[action]! / WEIGHT_ONE);
      row.events++;
      row.offset = offset;
      row.updatedAt = Math.max(row.updatedAt, ts);
      this.#eventTime = Math.max(this.#eventTime, ts);
    }
    this.#publish([...new Set(events.map(({ user }) => user))], offset);
  }

  #publish(users: readonly UserId[], offset: Offset): void {
    const rows = users.map((user) => {
      const row = this.rows.get(user)!;
      const profile = sorted(row);
      const fingerprint = this.fingerprints.get(user);
      return {
        user,
        fingerprintHi: 0,
        fingerprintLo: fingerprint ?? 0,
        hasFingerprint: fingerprint !== undefined,
        events: row.events,
        updatedAt: row.updatedAt,
        offset,
        items: profile.map(([item]) => item),
        weights: Float32Array.from(profile, ([, weight]) => weight),
      };
    });
    const ordinals = this.readModel.apply({ partition: PARTITION, offset, eventTime: this.#eventTime, rows, erased: [] });
    const vectors = new Float32Array(users.length * DIMS);
    for (const [i, user] of users.entries()) vectors.set(pool(this.rows.get(user)!), i * DIMS);
    this.engine.upsert({ ordinals, vectors });
    this.#applied(offset);
  }

  #applied(offset: Offset): void {
    this.readModel.setApplied(PARTITION, offset, this.#eventTime);
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

const sorted = (row: Row): [ItemId, number][] => [...row.weights].sort(([a, x], [b, y]) => Math.abs(y) - Math.abs(x) || (a < b ? -1 : 1));

function pool(row: Row): Float32Array {
  const sum = new Float64Array(DIMS);
  let total = 0;
  for (const [item, weight] of row.weights) {
    total += Math.abs(weight);
    itemVectors.vector(item)?.forEach((component, d) => {
      sum[d]! += weight * component;
    });
  }
  return Float32Array.from(sum, (component) => (total === 0 ? 0 : component / total));
}
