import { KindredError } from "../schemas/errors.js";
import type { PartitionMeta } from "./partition-meta.js";

/** How much of its partition's changelog a store has. JSON. */
export interface ChangelogMark {
  /** Where reading goes on; 0 = at the begin. */
  readonly next: number;
  /**
   * There while the rows are those of no commit: some of the next are in already, or some of the last are missing. Activations that
   * rows may be of beside those of the meta.
   */
  readonly between?: PartitionMeta["activations"];
  /** Everything was to be forgotten: what else is in the store does not count. */
  readonly resetting?: true;
}

export const encodeMark = (mark: ChangelogMark): Uint8Array => Buffer.from(JSON.stringify(mark));

/** @throws KindredError STATE_CORRUPT */
export function decodeMark(value: Uint8Array | undefined, where: string): ChangelogMark {
  if (value === undefined) return { next: 0 };
  let mark: ChangelogMark | undefined;
  try {
    mark = JSON.parse(Buffer.from(value).toString("utf8")) as ChangelogMark;
  } catch {
    // Said below.
  }
  if (!Number.isSafeInteger(mark?.next) || !(mark?.between === undefined || Array.isArray(mark.between)))
    throw new KindredError("STATE_CORRUPT", "how much of the changelog the state has is not readable", where);
  return mark as ChangelogMark;
}
