import type { ItemId } from "../schemas/ids.js";
import type { HistoriesPlace, StateOwner } from "../schemas/ports/admin.js";
import { formatPosition } from "../schemas/position.js";

/** Users of one page: some hundred kilobytes, and hardly a pause for whoever folds meanwhile. */
const PAGE_USERS = 256;

/**
 * All profiles as lines of JSON, a page at a time and only as fast as they are taken: `{ user, items, weights, times }`, before them
 * `{ info }` of each item that comes for the first time and has side information, and at the end `{ end: { users, position } }`, without which
 * the answer was cut. Each user is as their page found them, while folding goes on; `position` was applied before the first.
 */
export async function* historyLines(owner: StateOwner): AsyncGenerator<string> {
  const { position } = await owner.summary();
  const known = new Set<ItemId>();
  let users = 0;
  let after: HistoriesPlace | undefined;
  do {
    const { histories, next } = await owner.histories(after, PAGE_USERS);
    const met = new Set(histories.flatMap(({ items }) => items.filter((item) => !known.has(item))));
    for (const item of met) known.add(item);
    const infos = met.size === 0 ? [] : await owner.itemInfos([...met]);
    const lines = [...infos.flatMap((info) => (info === undefined ? [] : [{ info }])), ...histories];
    if (lines.length > 0) yield lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    users += histories.length;
    after = next;
  } while (after !== undefined);
  yield `${JSON.stringify({ end: { users, position: formatPosition(position) } })}\n`;
}
