import { joinTexts, NEW_ITEM, type PackedBatch } from "../../native/read-model.js";
import type { ReadModelBatch } from "../../schemas/ports/read-model.js";
import { invalid } from "./read-model-limits.js";

/** A batch ready to cross, and the items in it whose ordinals are not known yet, in the order of `newItems`. */
export interface Packed {
  readonly batch: PackedBatch;
  readonly newItems: readonly string[];
}

/**
 * Packs a batch into arrays; an item's text crosses only when `known` has no ordinal for it. Only shapes are checked
 * here, so that nothing is cut or filled up silently; values are checked behind the crossing.
 * @throws KindredError INVALID_ARGUMENT
 */
export function packBatch(batch: ReadModelBatch, known: ReadonlyMap<string, number>): Packed {
  const { rows } = batch;
  const counts = new Uint32Array(rows.length);
  let total = 0;
  for (let r = 0; r < rows.length; r++) {
    const { items, weights } = rows[r]!;
    if (items.length !== weights.length) throw invalid("items and weights must be of one length");
    total += counts[r] = items.length;
  }
  const added = new Map<string, number>();
  const items = new Uint32Array(total);
  const weights = new Float32Array(total);
  let at = 0;
  for (const row of rows) {
    weights.set(row.weights, at);
    for (const item of row.items) items[at++] = known.get(item) ?? placeOf(item, added);
  }
  const newItems = [...added.keys()];
  const [erased, users, fresh] = [joinTexts(batch.erased), joinTexts(rows.map((row) => row.user)), joinTexts(newItems)];
  return {
    newItems,
    batch: {
      partition: batch.partition,
      erased: erased.text,
      erasedLengths: erased.lengths,
      users: users.text,
      userLengths: users.lengths,
      newItems: fresh.text,
      newItemLengths: fresh.lengths,
      ...packNumbers(batch),
      counts,
      items,
      weights,
    },
  };
}

function placeOf(item: string, added: Map<string, number>): number {
  let place = added.get(item);
  if (place === undefined) {
    place = NEW_ITEM + added.size;
    added.set(item, place);
  }
  return place;
}

function packNumbers({ rows }: ReadModelBatch): Pick<PackedBatch, "fingerprints" | "numbers"> {
  const fingerprints = new Uint32Array(rows.length * 3);
  const numbers = new Float64Array(rows.length * 3);
  for (let r = 0; r < rows.length; r++) {
    const row = rows[r]!;
    fingerprints[r * 3] = row.fingerprintHi;
    fingerprints[r * 3 + 1] = row.fingerprintLo;
    fingerprints[r * 3 + 2] = row.hasFingerprint ? 1 : 0;
    numbers[r * 3] = row.events;
    numbers[r * 3 + 1] = row.updatedAt;
    numbers[r * 3 + 2] = row.offset;
  }
  return { fingerprints, numbers };
}
