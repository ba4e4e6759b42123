import type { Offset } from "../../schemas/ids.js";
import type { FoldingState } from "../folding-state.js";
import type { Journal } from "./journal.js";
import type { JournalCatalogues } from "./journal-catalogues.js";

/**
 * A state with nothing in it begins where the journal does. Where retention has cut that, the activation that holds there may
 * be cut too: it is folded once more, in the place of the newest record that is gone, so that what follows is folded with the
 * catalogue that it was folded with before.
 * @returns whether the state begins behind a cut
 */
export async function beginWhereKept(
  journal: Pick<Journal, "firstOffset">,
  catalogues: Pick<JournalCatalogues, "activeAt">,
  state: FoldingState,
): Promise<boolean> {
  const first = journal.firstOffset;
  if (state.appliedOffset > 0 || first <= 1) return false;
  const catalogue = await catalogues.activeAt(first);
  // Activated before activations were remembered: reading says POSITION_EXPIRED.
  if (catalogue === undefined) return false;
  const before = (first - 1) as Offset;
  await state.commit(await state.fold([{ offset: before, record: { kind: "activate", catalogue } }], before));
  return true;
}
