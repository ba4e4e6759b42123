import { KindredError } from "../../../schemas/errors.js";
import type { CatalogueNumber, EpochMs, Offset, Partition, UserId } from "../../../schemas/ids.js";
import type { ProfileDetails, StateOwner, StateSummary, VerifyReport } from "../../../schemas/ports/admin.js";
import type { Position } from "../../../schemas/position.js";
import { HashSum } from "../../../state/state-hash.js";
import { partitionOf } from "../../../streams/kafka/out-records.js";
import { type HistoryRows, historiesOf } from "../histories-of-partitions.js";

/** Rows of one partition, as somebody has them. */
interface PartitionRows extends HistoryRows {
  profile(user: UserId): Promise<ProfileDetails | undefined>;
  summary(): StateSummary;
  verify(): Promise<VerifyReport>;
}

/** Most users with faults that a report names. */
const SHOWN_FAULTS = 100;

/** Questions to the rows of several partitions: those that are here. Their hashes add up. */
export function ownerOf(here: () => readonly PartitionRows[], partitions: () => number, itemInfos: StateOwner["itemInfos"]): StateOwner {
  return {
    async profile(user) {
      const partition = partitionOf("", Buffer.from(user), partitions());
      const rows = here().find((one) => one.partition === partition);
      if (!rows)
        throw new KindredError("WRONG_ROLE", `the user's partition ${partition} is folded by another updater; ask that or a recall node`);
      return rows.profile(user);
    },
    itemInfos,
    async histories(after, limit) {
      const [rows, all] = [here(), partitions()];
      if (rows.length < all)
        throw new KindredError("WRONG_ROLE", `${rows.length} of ${all} partitions are here; ask a recall node for all rows`);
      return historiesOf(rows, after, limit);
    },
    summary: async () => sumOf(here().map((rows) => rows.summary())),
    async verify() {
      const reports: VerifyReport[] = [];
      for (const rows of here()) reports.push(await rows.verify());
      return {
        rows: reports.reduce((sum, { rows }) => sum + rows, 0),
        storedHash: HashSum.total(reports.map(({ storedHash }) => storedHash)),
        recomputedHash: HashSum.total(reports.map(({ recomputedHash }) => recomputedHash)),
        faults: reports.flatMap(({ faults }) => faults).slice(0, SHOWN_FAULTS),
        faultCount: reports.reduce((sum, { faultCount }) => sum + faultCount, 0),
      };
    },
  };
}

/** How far these partitions are. */
export function appliedOf(
  here: readonly { readonly partition: Partition; readonly appliedOffset: Offset; readonly eventTime: EpochMs }[],
): {
  readonly position: Position;
  readonly eventTime: EpochMs;
} {
  return {
    position: new Map(here.map(({ partition, appliedOffset }) => [partition, appliedOffset])),
    eventTime: here.reduce((newest, { eventTime }) => Math.max(newest, eventTime), 0),
  };
}

function sumOf(summaries: readonly StateSummary[]): StateSummary {
  return {
    hash: HashSum.total(summaries.map(({ hash }) => hash)),
    rows: summaries.reduce((sum, { rows }) => sum + rows, 0),
    position: new Map(summaries.flatMap(({ position }) => [...position])),
    catalogue: summaries.reduce<CatalogueNumber | 0>((newest, { catalogue }) => (catalogue > newest ? catalogue : newest), 0),
    migrating: summaries.some(({ migrating }) => migrating),
  };
}
