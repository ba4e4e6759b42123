import cliProgress from "cli-progress";

export interface ProgressOptions {
  /** What is done: `replay`. */
  readonly label: string;
  /** What is counted: `events`. */
  readonly unit: string;
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Milliseconds; replaced in tests. */
  readonly now?: () => number;
}

/** Work that is done sooner needs no progress. */
const QUIET_MS = 2_000;
const LINE_EVERY_MS = 5_000;

/** `3 s`, `4 min 05 s`, `2 h 03 min` */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (n: number): string => String(n).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

/**
 * Says how far long work is: a bar with rate and time left on a terminal, a line now and then elsewhere, nothing at all for
 * what is done within two seconds. `done` may count other things than `share` does (events against bytes of a file).
 */
export class Progress {
  private readonly now: () => number;
  private readonly startedAt: number;
  private lineAt: number;
  private bar: cliProgress.SingleBar | undefined;

  constructor(private readonly options: ProgressOptions) {
    this.now = options.now ?? Date.now;
    this.startedAt = this.now();
    this.lineAt = this.startedAt + QUIET_MS;
  }

  /**
   * @param share of the whole work, 0 to 1; undefined when nobody knows how much there is
   * @param note what else is to be said: `loss 1.23`
   */
  update(done: number, share?: number, note?: string): void {
    const at = this.now();
    if (at - this.startedAt < QUIET_MS) return;
    if (this.options.stream.isTTY === true) this.draw(done, share, note);
    else if (at >= this.lineAt) {
      this.lineAt = at + LINE_EVERY_MS;
      this.options.stream.write(`${this.options.label}: ${this.text(done, share, note)}\n`);
    }
  }

  /** Ends the bar; a plain last line is left to the command's result. */
  stop(): void {
    this.bar?.stop();
    this.bar = undefined;
  }

  private text(done: number, share: number | undefined, note: string | undefined): string {
    const seconds = (this.now() - this.startedAt) / 1000;
    const rate = `${Math.round(done).toLocaleString("en-US")} ${this.options.unit}, ${Math.round(done / seconds).toLocaleString("en-US")}/s${note === undefined ? "" : `, ${note}`}`;
    if (share === undefined || share <= 0) return rate;
    return `${(share * 100).toFixed(0)} %, ${rate}, ${formatDuration((seconds / share) * (1 - share))} left`;
  }

  private draw(done: number, share: number | undefined, note: string | undefined): void {
    if (!this.bar) {
      const format = share === undefined ? "{label}: {text}" : "{label} [{bar}] {text}";
      this.bar = new cliProgress.SingleBar(
        { format, stream: this.options.stream, hideCursor: true, clearOnComplete: true, barsize: 24, fps: 5 },
        cliProgress.Presets.shades_classic,
      );
      this.bar.start(1000, 0, { label: this.options.label, text: "" });
    }
    this.bar.update(Math.round((share ?? 0) * 1000), { text: this.text(done, share, note) });
  }
}
