import { setTimeout as sleep } from "node:timers/promises";
import { KindredError } from "../../../schemas/errors.js";
import type { Log } from "../../../schemas/ports/log.js";
import { CatalogueKeeper, type CatalogueKeeperOptions } from "../catalogue-keeper.js";

export interface CatalogueLeaderParts {
  readonly log: Log;
  readonly keeper: Omit<CatalogueKeeperOptions, "onError">;
  /** Takes the writing of catalogues from whoever had it. */
  readonly lead: (signal: AbortSignal) => Promise<void>;
  readonly resign: () => Promise<void>;
  /** Resolves when everything that is known of items by now is in the local store. */
  readonly itemsCaughtUp: () => Promise<void>;
  /** What an earlier leader left of generations: before the first catalogue is made. */
  readonly loadGenerations: () => Promise<void>;
  /** Tells recall nodes which generations the catalogues have. */
  readonly announce: () => Promise<void>;
  /** Resolves when the group has said, from now on, that this process is still a member with its partitions. */
  readonly confirmed: (signal: AbortSignal) => Promise<void>;
  readonly onFailed: (error: unknown) => void;
}

const AGAIN_MS = 1_000;
/** Who fails so writes no more until it has begun anew. */
const LOST = new Set(["OWNERSHIP_LOST", "BROKER_FAILED"]);

/** Whoever owns partition 0 makes the catalogues: one of a group, fenced as the rows are. */
export class CatalogueLeader {
  private turns: Promise<void> = Promise.resolve();
  private keeper: CatalogueKeeper | undefined;
  private leading: AbortController | undefined;

  constructor(private readonly parts: CatalogueLeaderParts) {}

  become(leading: boolean): void {
    if (leading === (this.leading !== undefined)) return;
    this.leading?.abort();
    const ends = leading ? new AbortController() : undefined;
    this.leading = ends;
    const turn = this.turns.then(() => (ends ? this.begin(ends.signal) : this.end()));
    this.turns = turn.catch((error: unknown) => this.parts.onFailed(error));
  }

  itemsChanged(): void {
    this.keeper?.itemsChanged();
  }

  /** What only the leader may do. It begins anew where that failed. @throws KindredError WRONG_ROLE: another process leads; what `work` throws */
  async leads<T>(work: (keeper: CatalogueKeeper) => Promise<T>): Promise<T> {
    const { keeper, leading } = this;
    if (!keeper || !leading)
      throw new KindredError("WRONG_ROLE", "generations are changed by the updater that has partition 0; ask that one");
    try {
      return await work(keeper);
    } catch (error) {
      if (error instanceof KindredError && LOST.has(error.code)) this.lost(error, leading.signal);
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.become(false);
    await this.turns;
  }

  /** Until it leads, or is to lead no more: brokers that are away for a while are waited for. */
  private async begin(ends: AbortSignal): Promise<void> {
    while (!ends.aborted) {
      try {
        await this.lead(ends);
        return;
      } catch (error) {
        if (ends.aborted) return;
        if (!(error instanceof KindredError && error.canRetry)) throw error;
        this.parts.log.warn({ err: error }, "catalogues cannot be made yet");
        await sleep(AGAIN_MS, undefined, { signal: ends }).catch(() => undefined);
        // Who was fenced may have lost the partition without knowing: leading again would take it from who has it.
        await this.parts.confirmed(ends).catch(() => undefined);
      }
    }
  }

  private async lead(ends: AbortSignal): Promise<void> {
    const { lead, itemsCaughtUp, announce, keeper, loadGenerations } = this.parts;
    await itemsCaughtUp();
    await lead(ends);
    await loadGenerations();
    const own = new CatalogueKeeper({ ...keeper, onError: (error) => this.lost(error, ends) });
    // From here on told of items, also of those that come while the first catalogue is being made.
    this.keeper = own;
    await own.update();
    await announce();
  }

  /** The next catalogue could not be made: from the begin, where that may help. */
  private lost(error: unknown, ends: AbortSignal): void {
    if (ends.aborted) return;
    this.parts.log.warn({ err: error }, "the next catalogue could not be made");
    const turn = this.turns.then(async () => {
      await this.keeper?.close();
      this.keeper = undefined;
      await this.parts.confirmed(ends).catch(() => undefined);
      await this.begin(ends);
    });
    this.turns = turn.catch((failure: unknown) => this.parts.onFailed(failure));
  }

  private async end(): Promise<void> {
    await this.keeper?.close();
    this.keeper = undefined;
    await this.parts.resign();
  }
}
