import { KindredError } from "../../schemas/errors.js";
import type { EpochMs, ItemId } from "../../schemas/ids.js";
import type { Histories } from "../../schemas/model.js";
import { SeededRandom, sampleOf } from "../seeded-random.js";

/** What a split goes by; the order of a list decides between equal times where only one may be the last. */
export interface SplitEvent {
  readonly user: string;
  readonly item: ItemId;
  readonly ts: EpochMs;
}

export interface Split {
  readonly train: Histories;
  /** Only users who have something here; items are those of train and test, numbered as in train. */
  readonly test: Histories;
}

/** When a user first touched an item: later ones of the same item are no news, and nothing to be foretold. */
interface FirstTouch extends SplitEvent {
  /** Place in the list. */
  readonly at: number;
}

/**
 * Each user's newest item is the test, the others are train. Newest by the first event of each item: who comes back to an old favourite
 * did not find anything. Of equal times the later in the list. Who has one item only stays in train.
 */
export function leaveLastOut(events: readonly SplitEvent[]): Split {
  const last = new Map<string, FirstTouch>();
  const touches = firstTouches(events);
  for (const touch of touches) {
    const known = last.get(touch.user);
    if (known === undefined || touch.ts > known.ts || (touch.ts === known.ts && touch.at > known.at)) last.set(touch.user, touch);
  }
  const counts = new Map<string, number>();
  for (const { user } of touches) counts.set(user, (counts.get(user) ?? 0) + 1);
  return splitBy(touches, (touch) => counts.get(touch.user)! > 1 && last.get(touch.user) === touch);
}

/**
 * Whatever happens from `cut` on is test. Events of one time are never torn apart: all of them are on the same side. Items that the user
 * touched before the cut are not tested; who is not in train at all is in test all the same (evaluation counts such users apart).
 */
export function splitAtTime(events: readonly SplitEvent[], cut: EpochMs): Split {
  return splitBy(firstTouches(events), ({ ts }) => ts >= cut);
}

/**
 * The time that leaves about `share` of the events behind it: that of the first of them in order of time. Since equal times stay together
 * more than `share` may be test, never less.
 * @throws KindredError INVALID_ARGUMENT: no events, or a share that is not between 0 and 1
 */
export function cutLeaving(events: readonly SplitEvent[], share: number): EpochMs {
  checkShare(share);
  const times = Float64Array.from(events, ({ ts }) => ts).sort();
  const cut = times[Math.min(times.length - 1, Math.floor(times.length * (1 - share)))];
  if (cut === undefined) throw new KindredError("INVALID_ARGUMENT", "there are no events to split", "events");
  return cut;
}

/**
 * For histories without times, and to choose settings on a part of train: of each user's n items, n >= 2, `share` (rounded down, at least
 * one) drawn at random are test. The same seed draws the same.
 * @throws KindredError INVALID_ARGUMENT: a share that is not between 0 and 1
 */
export function holdOut({ items, users, starts, rows }: Histories, share: number, seed: number): Split {
  checkShare(share);
  const random = new SeededRandom(seed);
  const events = users.flatMap((user, u) => {
    const own = [...new Set(rows.subarray(starts[u], starts[u + 1]))];
    const held = own.length < 2 ? 0 : Math.max(1, Math.floor(own.length * share));
    // The first `held` places of a shuffle (Fisher and Yates).
    for (let i = 0; i < held; i++) {
      const j = i + random.below(own.length - i);
      [own[i], own[j]] = [own[j]!, own[i]!];
    }
    return own.map((row, i) => ({ user, item: items[row]!, ts: i < held ? 1 : 0, at: i }));
  });
  return splitBy(events, ({ ts }) => ts === 1, items);
}

/**
 * Of the users who have something to be pooled and something to be found (two items), `share` drawn at random, one at least, are test with all
 * that they have, the others are train: nothing is known of them, as of whoever comes tomorrow. `order` as it is where histories are in
 * order of time, else shuffled, since then what lies first in a file says nothing.
 * @throws KindredError INVALID_ARGUMENT: a share that is not between 0 and 1, or nobody is left on one side
 */
export function holdOutUsers(
  { items, users, starts, rows }: Histories,
  share: number,
  seed: number,
  order: "as it is" | "shuffled",
): Split {
  checkShare(share);
  const random = new SeededRandom(seed);
  const own = users.map((_, u) => [...new Set(rows.subarray(starts[u], starts[u + 1]))]);
  const able = [...users.keys()].filter((u) => own[u]!.length > 1);
  const drawn = sampleOf(able.length, Math.max(1, Math.floor(able.length * share)), seed);
  const held = new Set(Array.from(drawn, (place) => able[place]!));
  if (held.size === 0 || held.size === users.length)
    throw new KindredError(
      "INVALID_ARGUMENT",
      `${users.length} users, ${able.length} of them with two items, are too few to hold some out`,
      "users",
    );
  const side = (isTest: boolean): Histories => {
    const of = [...users.entries()].filter(([u]) => held.has(u) === isTest);
    return historiesOf(items, new Map(of.map(([u, user]) => [user, isTest && order === "shuffled" ? shuffled(own[u]!, random) : own[u]!])));
  };
  return { train: side(false), test: side(true) };
}

function shuffled(rows: readonly number[], random: SeededRandom): number[] {
  const left = [...rows];
  return rows.map(() => left.splice(random.below(left.length), 1)[0]!);
}

/** Each user's items by their first events, in order of time; of equal times the earlier in the list first. */
export function historiesInTime(events: readonly SplitEvent[]): Histories {
  const touches = firstTouches(events).sort((a, b) => a.ts - b.ts || a.at - b.at);
  const rows = new Map<ItemId, number>();
  const byUser = new Map<string, number[]>();
  for (const { user, item } of touches) {
    const row = rows.get(item) ?? rows.size;
    rows.set(item, row);
    const own = byUser.get(user);
    if (own === undefined) byUser.set(user, [row]);
    else own.push(row);
  }
  return historiesOf([...rows.keys()], byUser);
}

function checkShare(share: number): void {
  if (!(share > 0 && share < 1)) throw new KindredError("INVALID_ARGUMENT", `a share is between 0 and 1, not ${share}`, "share");
}

function firstTouches(events: readonly SplitEvent[]): FirstTouch[] {
  const byUser = new Map<string, Map<ItemId, FirstTouch>>();
  for (const [at, { user, item, ts }] of events.entries()) {
    if (!Number.isFinite(ts)) throw new KindredError("INVALID_ARGUMENT", `an event has the time ${ts}`, `event ${at}`);
    const own = byUser.get(user) ?? new Map<ItemId, FirstTouch>();
    if (own.size === 0) byUser.set(user, own);
    const known = own.get(item);
    if (known === undefined || ts < known.ts) own.set(item, { user, item, ts, at });
  }
  return [...byUser.values()].flatMap((own) => [...own.values()]);
}

/** Users and items in order of first mention, so that the same events give the same split. */
function splitBy(touches: readonly FirstTouch[], isTest: (touch: FirstTouch) => boolean, known: readonly ItemId[] = []): Split {
  const rows = new Map(known.map((item, row) => [item, row]));
  const [train, test] = [new Map<string, number[]>(), new Map<string, number[]>()];
  for (const touch of touches) {
    if (!rows.has(touch.item)) rows.set(touch.item, rows.size);
    const side = isTest(touch) ? test : train;
    const own = side.get(touch.user);
    if (own === undefined) side.set(touch.user, [rows.get(touch.item)!]);
    else own.push(rows.get(touch.item)!);
  }
  const items = [...rows.keys()];
  return { train: historiesOf(items, train), test: historiesOf(items, test) };
}

function historiesOf(items: readonly ItemId[], byUser: ReadonlyMap<string, readonly number[]>): Histories {
  const starts = new Uint32Array(byUser.size + 1);
  const lists = [...byUser.values()];
  for (const [user, list] of lists.entries()) starts[user + 1] = starts[user]! + list.length;
  const rows = new Uint32Array(starts.at(-1)!);
  for (const [user, list] of lists.entries()) rows.set(list, starts[user]);
  return { items, users: [...byUser.keys()], starts, rows };
}
