import type { FingerprintBandCounts } from "../../schemas/ports/admin.js";
import type { Log } from "../../schemas/ports/log.js";

/**
 * Tells the log when fingerprint buckets are over their cap: at the first, and again whenever they have become twice as many.
 * A bucket that goes to and fro across the cap is told once.
 */
export class HotBuckets {
  #tellAt = 1;

  constructor(
    private readonly bucketCap: number,
    private readonly log: Pick<Log, "warn">,
  ) {}

  look({ bucketsOverCap, largestBucket }: FingerprintBandCounts): void {
    if (bucketsOverCap < this.#tellAt) return;
    this.#tellAt = 2 * bucketsOverCap;
    this.log.warn(
      { bucketsOverCap, largestBucket, bucketCap: this.bucketCap },
      "fingerprint buckets are over fingerprint.bucketCap: only the users who came into them last are compared, and answers are marked degraded",
    );
  }
}
