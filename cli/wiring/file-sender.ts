import { ERRORS, KindredError } from "../../schemas/errors.js";
import type { BehaviourEvent } from "../../schemas/event.js";
import type { EpochMs } from "../../schemas/ids.js";
import type { RefusedLine } from "../../schemas/ports/admin.js";
import type { FileIntake, FileProgress, FileSlice } from "../../schemas/ports/file-intake.js";
import { formatPosition } from "../../schemas/position.js";
import type { ServerClient } from "./server-client.js";

/** What a row of the file gave: an event, nothing (it lies outside of the time asked for), or it is broken. */
export type TakenRow = BehaviourEvent | "unwanted" | { readonly refused: RefusedLine };

const isEvent = (row: TakenRow): row is BehaviourEvent => typeof row === "object" && "item" in row;

interface SliceAnswer {
  readonly taken: boolean;
  readonly progress: FileProgress;
  readonly position: string;
}

/** Where rows of files go: a server, or the topics themselves. */
export interface SliceTarget {
  progress(file: string): Promise<FileProgress & { readonly position: string }>;
  /** Waits as long as there is no room. */
  take(slice: FileSlice): Promise<SliceAnswer>;
}

export const serverTarget = (server: ServerClient): SliceTarget => ({
  progress: (file) => server.get(`/v1/admin/files/${file}`),
  take: ({ file, ...slice }) => server.postPatiently(`/v1/admin/files/${file}/rows`, slice),
});

export const intakeTarget = (files: FileIntake): SliceTarget => ({
  progress: async (file) => ({ ...(await files.progress(file)), position: formatPosition(new Map()) }),
  take: async (slice) => {
    const { position, ...taken } = await files.take(slice);
    return { ...taken, position: formatPosition(position) };
  },
});

const isTooLarge = (error: unknown): boolean => error instanceof KindredError && ERRORS[error.code].status === 413;

/** Gathers rows of a file and sends them slice by slice. Where the file stands is the target's to say: it stored that with the rows. */
export class FileSender {
  /** Events taken of what was sent here. */
  appended = 0;
  private rows: TakenRow[] = [];
  /** Rows of the file that the target has already. */
  private toSkip: number;

  /**
   * @param progress where the file stands
   * @param limit most rows of one request; smaller once the target found a slice too large
   * @param mayGo asked before each request with the newest event time in it; false: nothing more is sent
   */
  constructor(
    private readonly target: SliceTarget,
    private readonly file: { readonly hash: string; readonly path: string },
    public progress: FileProgress,
    public position: string,
    private limit: number,
    private readonly mayGo: (newestTs: EpochMs) => Promise<boolean> = async () => true,
  ) {
    this.toSkip = progress.rowsRead;
  }

  get full(): boolean {
    return this.rows.length >= this.limit;
  }

  /** Whether the target has the next row of the file already: it is to be passed over. */
  skip(): boolean {
    if (this.toSkip === 0) return false;
    this.toSkip--;
    return true;
  }

  take(row: TakenRow): void {
    this.rows.push(row);
  }

  /** Sends up to `limit` rows; false where it may not. @throws KindredError what the target answers, USAGE (another command reads the file anew) */
  send(): Promise<boolean> {
    return this.post(false);
  }

  /** Sends what is left, and that the file ends with it. */
  async finish(): Promise<void> {
    while (await this.post(true)) if (this.progress.done) return;
  }

  private async post(ending: boolean): Promise<boolean> {
    for (;;) {
      const rows = this.rows.slice(0, this.limit);
      const newestTs = rows.filter(isEvent).reduce((newest, { ts }) => Math.max(newest, ts), 0);
      if (!(await this.mayGo(newestTs))) return false;
      try {
        const answer = await this.target.take({
          file: this.file.hash,
          run: this.progress.run,
          after: this.progress.rowsRead,
          rows: rows.length,
          events: rows.filter(isEvent),
          refused: rows.flatMap((row) => (typeof row === "object" && "refused" in row ? [row.refused] : [])),
          done: ending && rows.length === this.rows.length,
        });
        if (answer.taken) this.appended += answer.progress.events - this.progress.events;
        this.goOnFrom(answer);
        return true;
      } catch (error) {
        if (!isTooLarge(error) || rows.length <= 1) throw error;
        this.limit = Math.ceil(rows.length / 2);
      }
    }
  }

  /** Also behind rows that this sender did not send: of one that was killed, the last may only have arrived now. */
  private goOnFrom({ progress, position }: SliceAnswer): void {
    const ahead = progress.rowsRead - this.progress.rowsRead;
    if (progress.run !== this.progress.run || ahead < 0)
      throw new KindredError("USAGE", "another command reads this file anew at the same time", this.file.path);
    this.toSkip += Math.max(0, ahead - this.rows.length);
    this.rows = this.rows.slice(ahead);
    this.progress = progress;
    this.position = position;
  }
}
