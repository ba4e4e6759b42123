import type { BehaviourEvent } from "../event.js";
import type { Position } from "../position.js";
import type { RefusedLine } from "./admin.js";

/** How far a backfill of one file has come; stored in the same batch as the records. */
export interface FileProgress {
  /** Rows taken from the file so far, also those that were rejected. */
  readonly rowsRead: number;
  /** Of them, how many are events of the log. */
  readonly events: number;
  readonly rejected: number;
  /** The whole file has been read. */
  readonly done: boolean;
  /** 1 for the first time, one more for each time that it was asked for again; 0: never begun. */
  readonly run: number;
}

export const NEVER_BEGUN: FileProgress = { rowsRead: 0, events: 0, rejected: 0, done: false, run: 0 };

/** Where a backfill goes on: behind what was read, or at the begin of the next run where the last one came to its end. */
export const nextRows = (stored: FileProgress): FileProgress =>
  stored.done || stored.run === 0 ? { ...NEVER_BEGUN, run: stored.run + 1 } : stored;

/** Rows of a file that follow each other; all of them are taken or none. */
export interface FileSlice {
  /** SHA-256 of the file's content, hex. */
  readonly file: string;
  /** Which reading of the file they belong to. */
  readonly run: number;
  /** Rows of the file before these. */
  readonly after: number;
  /** How many they are, also those that are neither an event nor refused: outside of the time asked for. */
  readonly rows: number;
  readonly events: readonly BehaviourEvent[];
  readonly refused: readonly RefusedLine[];
  /** The file ends with them. */
  readonly done: boolean;
}

export interface SliceTaken {
  /** False: these are not the rows that come next, and nothing was taken. `progress` says which do. */
  readonly taken: boolean;
  readonly progress: FileProgress;
  readonly position: Position;
}

/** Where rows of files go: each is taken once, however often it is sent. */
export interface FileIntake {
  /** After the slices of the file that came before this call. */
  progress(file: string): Promise<FileProgress>;
  /** Durable, together with how far the file has come, before it resolves. @throws KindredError OVERLOADED (nothing was taken), STORAGE_FAILED */
  take(slice: FileSlice): Promise<SliceTaken>;
}
