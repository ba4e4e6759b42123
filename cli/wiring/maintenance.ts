import type { Config } from "../../schemas/config.js";
import type { CatalogueNumber, Offset } from "../../schemas/ids.js";
import type { Log } from "../../schemas/ports/log.js";
import type { LiveGenerations } from "./live-generations.js";
import type { SearchIndex } from "./search-index.js";
import type { UpdaterStores } from "./updater-stores.js";

const DAY_MS = 86_400_000;
/** What must not lie in the files for long waits so long for more of its kind. */
const SOON_MS = 2_000;
/** A save that takes long is not followed by the next at once: it gets this share of the time at most, 1 in so many. */
const REST = 10;

export interface MaintenanceParts {
  readonly config: Config;
  readonly stores: Pick<UpdaterStores, "journal" | "catalogues" | "state">;
  readonly index: Pick<SearchIndex, "save"> | undefined;
  /** Where the copies of published models are this process's to delete. */
  readonly models: Pick<LiveGenerations, "cleanUp"> | undefined;
  readonly log: Log;
}

/**
 * What keeps a long run short at its next start and bounded on the disk: the index is saved while it changes, the state is
 * synced and drops the change records that no saved index needs, the journal is cut by retention, never
 * past what the synced state holds, and the catalogues go that only what was cut was folded with,
 * and copies of models that no catalogue names.
 */
export class Maintenance {
  private timer: NodeJS.Timeout | undefined;
  private soonTimer: NodeJS.Timeout | undefined;
  private stopped = false;
  private tookMs = 0;
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly parts: MaintenanceParts) {}

  start(): void {
    this.timer = setInterval(() => this.attempt(), this.parts.config.index.saveIntervalMs);
  }

  /** Saves within seconds: after an erasure the files must not hold the user until the next regular save. */
  soon(): void {
    if (this.soonTimer || this.stopped) return;
    this.soonTimer = setTimeout(
      () => {
        this.soonTimer = undefined;
        this.attempt();
      },
      Math.max(SOON_MS, REST * this.tookMs),
    );
  }

  /** No more; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    clearTimeout(this.soonTimer);
    await this.running;
  }

  /** One at a time; whoever comes meanwhile waits for his own. */
  run(): Promise<void> {
    const done = this.running.then(() => this.once());
    this.running = done.catch(() => undefined);
    return done;
  }

  private attempt(): void {
    this.run().catch((err: unknown) => this.parts.log.error({ err }, "saving failed; it is tried again"));
  }

  private async once(): Promise<void> {
    const { catalogues, state } = this.parts.stores;
    // Both before the sync below makes them durable: the state never goes back behind them.
    const [synced, oldestCatalogue] = [state.appliedOffset, state.oldestCatalogue];
    if (synced === 0) return;
    const from = performance.now();
    const saved = await this.parts.index?.save();
    this.tookMs = performance.now() - from;
    // Without an index here, the one that was saved before still needs its change records.
    await state.snapshot(saved?.get(state.partition) ?? (0 as Offset));
    await this.cutLog(synced, oldestCatalogue);
    await this.parts.models?.cleanUp(await catalogues.oldest());
  }

  private async cutLog(synced: Offset, oldestCatalogue: CatalogueNumber | 0): Promise<void> {
    const { config, log, stores } = this.parts;
    const { journal, catalogues } = stores;
    const { retentionDays } = config.journal;
    if (retentionDays === 0) return;
    const old = await journal.firstAcceptedFrom(journal.now() - retentionDays * DAY_MS);
    const first = journal.firstOffset;
    const cut = await journal.cutBefore(Math.min(old, synced + 1) as Offset);
    if (cut > first) log.info({ from: first, to: cut }, "the journal was cut by retention");
    if (await catalogues.dropUnused(cut, oldestCatalogue)) log.info({}, "catalogues that nothing asks for any more were deleted");
  }
}
