import type { ErrorCode } from "../schemas/errors.js";
import type { Offset, UserId } from "../schemas/ids.js";

/** What could not become a record, or a record that could not be folded; not yet kept. */
export interface NewDeadLetter {
  readonly code: ErrorCode;
  readonly message: string;
  /** `journal 0:77`, `file 1f2e3d4c line 12` */
  readonly origin: string;
  readonly original: Uint8Array;
  /** The user it is about, where that is known: it is sealed under this user's key, and goes when the user is erased. */
  readonly user?: UserId;
  /** The event as it was read, before it was checked: what a replay tries again. Absent: the original is tried as JSON. */
  readonly raw?: unknown;
  /** Where in the journal it was read: reading the same again after a crash keeps no second letter. */
  readonly journalOffset?: Offset;
}

/** Longest original kept; what is longer was refused for its length, or is a damaged block. */
export const MAX_ORIGINAL_BYTES = 64 << 10;

/** UTF-8 text where the bytes are that, else base64 with its prefix. */
export function originalText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return `base64:${Buffer.from(bytes).toString("base64")}`;
  }
}
