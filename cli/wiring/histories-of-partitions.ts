import type { Partition, UserId } from "../../schemas/ids.js";
import type { HistoriesPage, HistoriesPlace, UserHistory } from "../../schemas/ports/admin.js";

/** Profiles of one partition, as somebody has them. */
export interface HistoryRows {
  readonly partition: Partition;
  /** Of users after `after`; "" = from the first. */
  histories(after: UserId | "", limit: number): Promise<UserHistory[]>;
}

/** A page is of one partition: an empty one may be followed by others. */
export async function historiesOf(here: readonly HistoryRows[], after: HistoriesPlace | undefined, limit: number): Promise<HistoriesPage> {
  const numbers = here.map(({ partition }) => partition).sort((a, b) => a - b);
  const rows = here.find(({ partition }) => partition === numbers.find((number) => number >= (after?.partition ?? 0)));
  if (!rows) return { histories: [] };
  const { partition } = rows;
  const histories = await rows.histories(partition === after?.partition ? after.user : "", limit);
  const last = histories.at(-1);
  if (last !== undefined && histories.length === limit) return { histories, next: { partition, user: last.user } };
  const later = numbers.find((number) => number > partition);
  return { histories, ...(later !== undefined && { next: { partition: later, user: "" as UserId } }) };
}
