import type { BehaviourEvent } from "./event.js";
import type { CatalogueNumber, EpochMs, Offset, UserId } from "./ids.js";

/**
 * What a log holds. Whatever changes live state is first one of these (DESIGN "The log is the truth"):
 * an event (also a repaired dead letter or a line of a backfill), an erasure, an activation of a catalogue.
 */
export type LogRecord =
  | { readonly kind: "event"; readonly event: BehaviourEvent }
  /** Everything known of the user goes; events with `ts <= at` never count again, wherever they come from. */
  | { readonly kind: "erase"; readonly user: UserId; readonly at: EpochMs }
  /** From here on rows are folded, and step by step recomputed, with this catalogue. */
  | { readonly kind: "activate"; readonly catalogue: CatalogueNumber };

/** A decoded record at its place in a partition. */
export interface PositionedRecord {
  readonly offset: Offset;
  readonly record: LogRecord;
}
