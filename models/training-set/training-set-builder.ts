import { KindredError } from "../../schemas/errors.js";
import type { EpochMs, ItemId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { TrainingSet } from "../../schemas/model.js";
import { GrowingTable } from "./growing-table.js";

/** Most actions, and scenes, that are told apart: one bit each. */
const MOST_NAMES = 32;
const NOBODY = 0xffffffff;

/** What somebody did with an item, or a profile says of it. */
export interface Touch {
  /** Added up; default 1. Sums of 0 and below are no interactions. */
  readonly weight?: number;
  readonly ts?: EpochMs;
  readonly action?: string;
  readonly scene?: string;
}

/**
 * A training set of touches in any order: pairs of user and item are merged as they come, so that memory goes with pairs (about 60 bytes each)
 * and not with events. Users, and items, are numbered as they first come.
 */
export class TrainingSetBuilder {
  readonly #users = new Names();
  readonly #items = new Names<ItemId>();
  readonly #actions = new Names();
  readonly #scenes = new Names();
  readonly #infos = new Map<ItemId, ItemInfo>();
  readonly #pairs = new PairTable();
  /** Who did nothing since everything of them was forgotten: not even a name is left. */
  readonly #erased = new Set<number>();
  #hasTimes = false;
  #hasWeights = false;

  add(user: string, item: ItemId, { weight = 1, ts, action, scene }: Touch = {}): void {
    const number = this.#users.number(user);
    this.#erased.delete(number);
    const pair = this.#pairs.at(number, this.#items.number(item));
    const { weights, times, actions, scenes } = this.#pairs;
    weights.values[pair]! += weight;
    this.#hasWeights ||= weights.values[pair] !== 1;
    if (ts !== undefined) {
      times.values[pair] = Math.max(times.values[pair]!, ts);
      this.#hasTimes = true;
    }
    actions.values[pair]! |= bitOf(this.#actions, action);
    scenes.values[pair]! |= bitOf(this.#scenes, scene);
  }

  /** Someone who may have done nothing. */
  addUser(user: string): void {
    this.#users.number(user);
  }

  /** Everything of the user so far is forgotten. */
  erase(user: string): void {
    const number = this.#users.known(user);
    if (number === undefined) return;
    for (const pair of this.#pairs.of(number)) this.#pairs.forget(pair);
    this.#erased.add(number);
  }

  /** Side information; the newest of an item holds. */
  addInfo(info: ItemInfo): void {
    this.#infos.set(info.item, info);
  }

  hasInfo(item: ItemId): boolean {
    return this.#infos.has(item);
  }

  /** @throws KindredError INVALID_ARGUMENT where nobody has touched anything */
  build(): TrainingSet {
    const kept = this.#positive();
    if (kept.length === 0)
      throw new KindredError(
        "INVALID_ARGUMENT",
        "nobody did anything that weighs more than 0: there is nothing to learn from",
        "histories",
      );
    const { items: itemOf, weights, times, actions, scenes } = this.#pairs;
    const numbers = new Map<number, number>();
    const rows = kept.map((pair) => {
      const item = itemOf.values[pair]!;
      const row = numbers.get(item) ?? numbers.size;
      numbers.set(item, row);
      return row;
    });
    const items = [...numbers.keys()].map((number) => this.#items.all[number]!);
    const infos = new Map(items.flatMap((item) => (this.#infos.has(item) ? [[item, this.#infos.get(item) as ItemInfo] as const] : [])));
    return {
      histories: { items, users: this.#users.all.filter((_, user) => !this.#erased.has(user)), starts: this.#starts(kept), rows },
      ...(this.#hasWeights && { weights: Float32Array.from(kept, (pair) => weights.values[pair]!) }),
      ...(this.#hasTimes && { times: Float64Array.from(kept, (pair) => times.values[pair]!) }),
      ...(this.#actions.all.length > 0 && { actions: kept.map((pair) => actions.values[pair]!), actionNames: this.#actions.all }),
      ...(this.#scenes.all.length > 0 && { scenes: kept.map((pair) => scenes.values[pair]!), sceneNames: this.#scenes.all }),
      ...(infos.size > 0 && { infos }),
    };
  }

  /** Pairs that count, user by user, each user's in the order in which they came. */
  #positive(): Uint32Array {
    const { weights } = this.#pairs;
    const kept = new Uint32Array(this.#pairs.size);
    let at = 0;
    for (let user = 0; user < this.#users.all.length; user++) {
      const from = at;
      for (const pair of this.#pairs.of(user)) if (weights.values[pair]! > 0) kept[at++] = pair;
      // The chain begins with the newest.
      kept.subarray(from, at).reverse();
    }
    return kept.slice(0, at);
  }

  #starts(kept: Uint32Array): Uint32Array {
    const counts = new Uint32Array(this.#users.all.length);
    for (const pair of kept) counts[this.#pairs.users.values[pair]!]!++;
    const starts = new Uint32Array(counts.length - this.#erased.size + 1);
    let at = 0;
    for (const [user, count] of counts.entries()) {
      if (this.#erased.has(user)) continue;
      starts[at + 1] = starts[at]! + count;
      at++;
    }
    return starts;
  }
}

/** Ids numbered as they first come. */
class Names<Id extends string = string> {
  readonly all: Id[] = [];
  readonly #numbers = new Map<Id, number>();

  number(id: Id): number {
    const known = this.#numbers.get(id);
    if (known !== undefined) return known;
    this.#numbers.set(id, this.all.length);
    return this.all.push(id) - 1;
  }

  known(id: Id): number | undefined {
    return this.#numbers.get(id);
  }
}

/** Whatever comes after the 32nd name has no bit. */
function bitOf(names: Names, name: string | undefined): number {
  if (name === undefined || (names.all.length >= MOST_NAMES && names.known(name) === undefined)) return 0;
  return 1 << names.number(name);
}

/** Pairs of user and item, found by an open hash table, each user's in a chain. */
class PairTable {
  readonly users = new GrowingTable(Uint32Array);
  readonly items = new GrowingTable(Uint32Array);
  readonly weights = new GrowingTable(Float64Array);
  readonly times = new GrowingTable(Float64Array);
  readonly actions = new GrowingTable(Uint32Array);
  readonly scenes = new GrowingTable(Uint32Array);
  /** Of each pair the one before it of the same user; of each user the newest. */
  readonly #before = new GrowingTable(Uint32Array);
  readonly #newest = new GrowingTable(Uint32Array);
  /** A pair + 1; 0: free. Never more than half full. */
  #slots = new Uint32Array(1 << 10);
  size = 0;

  /** The pair's number; it is made where it is new. */
  at(user: number, item: number): number {
    if (2 * this.size >= this.#slots.length) this.#rehash();
    const slot = this.#slotOf(user, item);
    if (this.#slots[slot] !== 0) return this.#slots[slot]! - 1;
    const pair = this.size++;
    for (const table of [this.users, this.items, this.weights, this.times, this.actions, this.scenes, this.#before]) table.reach(this.size);
    const users = this.#newest.length;
    this.#newest.reach(user + 1);
    this.#newest.values.fill(NOBODY, users, Math.max(users, user + 1));
    this.#slots[slot] = pair + 1;
    this.users.values[pair] = user;
    this.items.values[pair] = item;
    this.#before.values[pair] = this.#newest.values[user]!;
    this.#newest.values[user] = pair;
    return pair;
  }

  /** The user's pairs, newest first. */
  *of(user: number): Generator<number> {
    if (user >= this.#newest.length) return;
    for (let pair = this.#newest.values[user]!; pair !== NOBODY; pair = this.#before.values[pair]!) yield pair;
  }

  forget(pair: number): void {
    for (const table of [this.weights, this.times, this.actions, this.scenes]) table.values[pair] = 0;
  }

  #slotOf(user: number, item: number): number {
    const mask = this.#slots.length - 1;
    let slot = (Math.imul(user, 0x9e3779b1) ^ Math.imul(item, 0x85ebca77)) >>> 0;
    slot = (Math.imul(slot ^ (slot >>> 15), 0x2c1b3c6d) >>> 0) & mask;
    for (;;) {
      const pair = this.#slots[slot]! - 1;
      if (pair < 0 || (this.users.values[pair] === user && this.items.values[pair] === item)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #rehash(): void {
    this.#slots = new Uint32Array(2 * this.#slots.length);
    for (let pair = 0; pair < this.size; pair++) this.#slots[this.#slotOf(this.users.values[pair]!, this.items.values[pair]!)] = pair + 1;
  }
}
