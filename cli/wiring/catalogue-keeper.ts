import type { Catalogue, FoldSettings, GenerationRef } from "../../schemas/catalogue.js";
import type { CatalogueNumber } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { CatalogueStore } from "../../schemas/ports/event-log.js";
import { nextCatalogue } from "../../state/catalogue-builder.js";

export interface CatalogueKeeperOptions {
  readonly catalogues: CatalogueStore;
  /** Side information of every item, as it is now. */
  readonly items: () => AsyncIterable<ItemInfo>;
  readonly settings: FoldSettings;
  /** Those that are to be live now. */
  readonly generations: () => readonly GenerationRef[];
  /** Stores it, and activates it by records of the log. */
  readonly publish: (next: Catalogue) => Promise<unknown>;
  /** Least time between two catalogues. */
  readonly minIntervalMs: number;
  /** Whether side information is to wait for a while: all rows are being computed anew for something else. */
  readonly busy?: () => boolean;
  readonly onError: (error: unknown) => void;
  readonly now?: () => number;
}

/** Changes come in bursts (an import): the first catalogue after a quiet time waits for the rest of its burst. */
const SETTLE_MS = 500;

/** Keeps the newest catalogue equal to the configuration and to what is known of items. */
export class CatalogueKeeper {
  private timer: NodeJS.Timeout | undefined;
  private madeAt = Number.NEGATIVE_INFINITY;
  private work: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(private readonly options: CatalogueKeeperOptions) {}

  /** Stores and activates the next catalogue where anything differs from the newest one. Resolves its number. */
  update(): Promise<CatalogueNumber> {
    const updated = this.work.then(() => this.store());
    this.work = updated.then(
      () => undefined,
      () => undefined,
    );
    return updated;
  }

  /** Side information changed: a catalogue follows soon, but not sooner than `minIntervalMs` after the one before. */
  itemsChanged(): void {
    if (this.timer || this.closed) return;
    const now = this.options.now ?? Date.now;
    const delay = Math.max(SETTLE_MS, this.madeAt + this.options.minIntervalMs - now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.options.busy?.()) return this.itemsChanged();
      this.madeAt = now();
      this.update().catch(this.options.onError);
    }, delay);
  }

  /** What changed since is left to the next start. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.work;
  }

  private async store(): Promise<CatalogueNumber> {
    const { catalogues, settings, generations, publish } = this.options;
    const newest = await catalogues.newest();
    const current: Catalogue | undefined = newest === 0 ? undefined : await catalogues.get(newest);
    const items: ItemInfo[] = [];
    for await (const info of this.options.items()) items.push(info);
    const next = nextCatalogue(current, { settings, items, generations: generations() });
    if (next !== current) await publish(next);
    return next.number;
  }
}
