/** How far a backfill of one file has come; stored in the same batch as the records. */
export interface FileProgress {
  /** Rows taken from the file so far, also those that were rejected. */
  readonly rowsRead: number;
  /** Of them, how many are events of the log. */
  readonly events: number;
  readonly rejected: number;
  /** The whole file has been read. */
  readonly done: boolean;
  /** 1 for the first time, one more for each time that it was asked for again. */
  readonly run: number;
}
