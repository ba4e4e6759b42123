import type { CatalogueNumber, Offset, Partition, UserId } from "../ids.js";
import type { Position } from "../position.js";
import type { KindredError } from "../errors.js";

/** A dead letter: what could not be folded, and why. */
export interface DeadLetter {
  /** Ascending number within the data directory. */
  readonly number: number;
  readonly code: KindredError["code"];
  readonly message: string;
  /** Where it came from: `journal 0:77`, `file <hash> line 12`. */
  readonly origin: string;
  readonly at: number;
  /** The original bytes, as UTF-8 text where they are text, else base64 with the prefix `base64:`. */
  readonly original: string;
}

export interface StateSummary {
  /** Sum mod 2^128 of a hash per user: 32 hex digits. */
  readonly hash: string;
  readonly rows: number;
  readonly position: Position;
  readonly catalogue: CatalogueNumber | 0;
  /** Rows still computed with an earlier catalogue; their hash changes as they follow. */
  readonly migrating: boolean;
}

/** A whole profile, from the thread that owns the store. */
export interface ProfileDetails {
  readonly user: UserId;
  readonly fingerprint: string | null;
  readonly events: number;
  readonly updatedAt: number;
  readonly partition: Partition;
  readonly offset: Offset;
  readonly catalogue: CatalogueNumber;
  readonly totalWeight: number;
  readonly items: readonly { readonly item: string; readonly weight: number; readonly ts: number }[];
  /** Strongest first. */
  readonly keywords: readonly { readonly keyword: string; readonly weight: number }[];
  readonly accumulators: readonly number[];
}

export interface VerifyReport {
  readonly rows: number;
  readonly storedHash: string;
  readonly recomputedHash: string;
  /** Users whose derived fields differ from what their profile says; at most 100. */
  readonly faults: readonly { readonly user: string; readonly field: string }[];
  readonly faultCount: number;
}

/** Questions to the thread that owns the store. */
export interface StateOwner {
  profile(user: UserId): Promise<ProfileDetails | undefined>;
  summary(): Promise<StateSummary>;
  verify(): Promise<VerifyReport>;
}

export interface DeadLetters {
  /** Ascending by number. */
  list(options: { readonly after?: number; readonly limit: number }): Promise<DeadLetter[]>;
  /** Tries each again as it is (rules may have changed) or repaired; those taken leave the list and are events of the log. */
  replay(repairs: ReadonlyMap<number, unknown> | "all"): Promise<{ readonly replayed: number; readonly failed: number; readonly position: Position }>;
}
