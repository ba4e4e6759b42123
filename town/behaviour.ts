import type { BehaviourEvent } from "../schemas/event.js";
import type { EpochMs } from "../schemas/ids.js";
import type { ItemInfo } from "../schemas/item.js";
import { Random } from "./random.js";
import type { Town } from "./town.js";
import { WeightedTable } from "./weighted-table.js";

/** Items a listener remembers to come back to. */
const FAVOURITES = 6;
/** One taste in so many events gives way to another one. */
const DRIFT_EVERY = 150;

interface Mind {
  tastes: WeightedTable<number>;
  readonly liked: ItemInfo[];
}

const WELCOME = new WeightedTable(
  [
    ["play", 50],
    ["finish", 22],
    ["like", 10],
    ["collect", 5],
    ["share", 3],
    ["comment", 3],
    ["follow", 3],
    ["click", 4],
  ] as const,
  ([, weight]) => weight,
);
const UNWELCOME = new WeightedTable(
  [
    ["skip", 55],
    ["click", 30],
    ["dislike", 15],
  ] as const,
  ([, weight]) => weight,
);

/** What the town's listeners do: each has a mind of its own that remembers and drifts. Same seed, same order of calls, same events. */
export class Behaviour {
  private readonly random: Random;
  private readonly minds: Mind[];
  private readonly listenersByActivity: WeightedTable<number>;
  private made = 0;

  /** @param run tells the ids of two runs over one town apart, 1 to 24 characters */
  constructor(
    private readonly town: Town,
    seed: number,
    private readonly run: string,
  ) {
    this.random = new Random(seed, 3);
    this.minds = town.listeners.map((listener) => ({
      tastes: new WeightedTable(
        listener.tastes.map((taste) => taste.genre),
        (_, rank) => listener.tastes[rank]?.weight as number,
      ),
      liked: [],
    }));
    this.listenersByActivity = new WeightedTable(
      town.listeners.map((_, i) => i),
      (i) => town.listeners[i]?.activity as number,
    );
  }

  /** Who acts next: the busy ones more often. */
  nextListener(): number {
    return this.listenersByActivity.pick(this.random);
  }

  /** One event of a listener, by its place in the town. */
  act(listener: number, ts: EpochMs): BehaviourEvent {
    const { random } = this;
    const mind = this.minds[listener] as Mind;
    if (random.below(DRIFT_EVERY) === 0) this.drift(mind);
    const { info, welcome } = this.choose(listener, mind);
    const [action] = (welcome ? WELCOME : UNWELCOME).pick(random);
    if (welcome && action !== "click") this.remember(mind, info);
    const event: BehaviourEvent = {
      user: this.town.listeners[listener]?.user as BehaviourEvent["user"],
      item: info.item,
      action: info.type === "live" && action === "collect" ? "gift" : action,
      ts,
      id: `${this.run}-${(this.made++).toString(36)}`,
      type: info.type,
      ...(info.scene !== undefined && { scene: info.scene }),
    };
    const value = this.value(event.action, info.type);
    return value === undefined ? event : { ...event, value };
  }

  private choose(listener: number, mind: Mind): { readonly info: ItemInfo; readonly welcome: boolean } {
    const { random, town } = this;
    const self = town.listeners[listener] as Town["listeners"][number];
    if (mind.liked.length > 0 && random.chance(0.25)) return { info: random.pick(mind.liked), welcome: random.chance(0.97) };
    if (self.friends.length > 0 && random.chance(0.1)) {
      const theirs = this.minds[random.pick(self.friends)]?.liked ?? [];
      if (theirs.length > 0) return { info: random.pick(theirs), welcome: random.chance(0.8) };
    }
    const tables = town.offerings.tables[self.scenes.pick(random)];
    const wandering = random.chance(0.06);
    const genre = wandering ? random.below(tables.length) : mind.tastes.pick(random);
    return { info: (tables[genre] as WeightedTable<ItemInfo>).pick(random), welcome: random.chance(wandering ? 0.35 : 0.93) };
  }

  private remember(mind: Mind, info: ItemInfo): void {
    if (mind.liked.includes(info)) return;
    if (mind.liked.length < FAVOURITES) mind.liked.push(info);
    else mind.liked[this.random.below(FAVOURITES)] = info;
  }

  /** The weakest taste gives way to a new one, which may be a whim or a passion from the start. */
  private drift(mind: Mind): void {
    const { random } = this;
    const next = mind.tastes.entries.slice(0, -1);
    next.splice(random.below(next.length + 1), 0, random.below(this.town.offerings.genres.length));
    mind.tastes = new WeightedTable(next, (_, rank) => next.length - rank);
  }

  private value(action: string, type: string): number | undefined {
    const { random } = this;
    if (action === "gift") return random.between(1, 50);
    if (action !== "play" && action !== "finish") return undefined;
    return type === "podcast" ? random.between(60, 2_400) : random.between(20, 300);
  }
}
