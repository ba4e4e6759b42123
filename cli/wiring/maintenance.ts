import type { Config } from "../../schemas/config.js";
import type { Offset } from "../../schemas/ids.js";
import type { SearchIndex } from "./search-index.js";
import type { UpdaterLog } from "./updater-log.js";
import type { UpdaterStores } from "./updater-stores.js";

const DAY_MS = 86_400_000;

/**
 * What keeps a long run short at its next start and bounded on the disk: the index is saved while it changes, the state is
 * synced with its counts and drops the change records that no saved index needs, and the journal is cut by retention, never
 * past what the synced state holds.
 */
export class Maintenance {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly config: Config,
    private readonly stores: UpdaterStores,
    private readonly index: SearchIndex | undefined,
    private readonly log: UpdaterLog,
  ) {}

  start(): void {
    this.timer = setInterval(
      () => void this.run().catch((err: unknown) => this.log.error({ err }, "saving failed; it is tried again")),
      this.config.index.saveIntervalMs,
    );
  }

  /** No more; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** One at a time; whoever comes meanwhile waits for his own. */
  run(): Promise<void> {
    const done = this.running.then(() => this.once());
    this.running = done.catch(() => undefined);
    return done;
  }

  private async once(): Promise<void> {
    const { journal, state } = this.stores;
    const synced = state.appliedOffset;
    if (synced === 0) return;
    const saved = await this.index?.save();
    // Without an index here, the one that was saved before still needs its change records.
    await state.snapshot(saved ?? (0 as Offset));
    const { retentionDays } = this.config.journal;
    if (retentionDays === 0) return;
    const old = await journal.firstAcceptedFrom(journal.now() - retentionDays * DAY_MS);
    const first = journal.firstOffset;
    const cut = await journal.cutBefore(Math.min(old, synced + 1) as Offset);
    if (cut > first) this.log.info({ from: first, to: cut }, "the journal was cut by retention");
  }
}
