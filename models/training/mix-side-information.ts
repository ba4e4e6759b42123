import type { ItemId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";

interface Vectors {
  readonly dims: number;
  readonly input: Float32Array;
  readonly output: Float32Array;
}

/** Items that share a creator or a tag. */
interface Label {
  readonly rows: number[];
  /** Sum of what is trusted of them. */
  trust: number;
  readonly input: Float64Array;
  readonly output: Float64Array;
}

/**
 * Draws the vectors of items with few events towards those of the other items of their creators and tags, in place: an item with n events
 * keeps n / (n + weight) of its own. Of the others each counts by what it keeps itself, and a label that few have counts more than
 * one that many have. Outputs grow with popularity, about as its root; what comes from more popular items is brought down to the item's own.
 */
export function mixSideInformation(
  items: readonly ItemId[],
  infos: ReadonlyMap<ItemId, ItemInfo>,
  popularity: Uint32Array,
  weight: number,
  { dims, input, output }: Vectors,
): void {
  const trustOf = (row: number): number => popularity[row]! / (popularity[row]! + weight);
  const volumeOf = (row: number): number => Math.sqrt(popularity[row]! + 1);
  const labels = labelsOf(items, infos, dims);
  const own = [input.slice(), output.slice()] as const;
  for (const label of labels.values())
    for (const row of label.rows) {
      const [trust, volume] = [trustOf(row), volumeOf(row)];
      label.trust += trust;
      for (let d = 0; d < dims; d++) {
        label.input[d]! += trust * own[0][row * dims + d]!;
        label.output[d]! += (trust / volume) * own[1][row * dims + d]!;
      }
    }
  for (const [row, item] of items.entries()) {
    const [trust, volume] = [trustOf(row), volumeOf(row)];
    const of = namesOf(infos.get(item))
      .map((name) => labels.get(name)!)
      // Without the item itself there must be somebody to learn from.
      .filter((label) => label.trust - trust > 1e-9);
    const total = of.reduce((sum, label) => sum + shareOf(label), 0);
    if (total === 0) continue;
    for (let d = 0; d < dims; d++) {
      const at = row * dims + d;
      let [meanInput, meanOutput] = [0, 0];
      for (const label of of) {
        const by = shareOf(label) / total / (label.trust - trust);
        meanInput += by * (label.input[d]! - trust * own[0][at]!);
        meanOutput += by * (label.output[d]! - (trust / volume) * own[1][at]!);
      }
      input[at] = trust * own[0][at]! + (1 - trust) * meanInput;
      output[at] = trust * own[1][at]! + (1 - trust) * volume * meanOutput;
    }
  }
}

const shareOf = ({ rows }: Label): number => 1 / Math.sqrt(rows.length);

const namesOf = (info: ItemInfo | undefined): string[] => [
  ...new Set([...(info?.creators ?? []).map((name) => `creator ${name}`), ...(info?.tags ?? []).map((name) => `tag ${name}`)]),
];

function labelsOf(items: readonly ItemId[], infos: ReadonlyMap<ItemId, ItemInfo>, dims: number): Map<string, Label> {
  const labels = new Map<string, Label>();
  for (const [row, item] of items.entries())
    for (const name of namesOf(infos.get(item))) {
      const label = labels.get(name) ?? { rows: [], trust: 0, input: new Float64Array(dims), output: new Float64Array(dims) };
      label.rows.push(row);
      labels.set(name, label);
    }
  return labels;
}
