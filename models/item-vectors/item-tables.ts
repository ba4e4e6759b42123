import type { ItemComparison, ItemVectors, OutputVectors } from "../../schemas/catalogue.js";
import { KindredError } from "../../schemas/errors.js";
import type { ItemId } from "../../schemas/ids.js";
import { firstNotFinite } from "../model-folder/not-finite.js";
import { rowOfId, type SharedIds, shareIds } from "./shared-ids.js";

/** Largest magnitude of a quantised component: that of the schema. */
const MOST = 32_767;

/** What a trained model hands over. Tables are row-major, one row an item, in the order of `items`. */
export interface TrainedTables {
  /** None twice. */
  readonly items: readonly ItemId[];
  /** 8..1024 */
  readonly dims: number;
  /** What users pool. A row of zeros: the item is not pooled. */
  readonly inputs: Float32Array;
  /** What a pooled user is scored against, not normalised. A row of zeros: the item is not found by it. */
  readonly outputs?: Float32Array;
  readonly itemsBy?: ItemComparison;
}

/** The tables as threads hand them to each other: the memory is one. */
export interface SharedTables {
  readonly dims: number;
  readonly ids: SharedIds;
  readonly inputs: Int16Array;
  readonly outputs?: Float32Array;
  readonly itemsBy: ItemComparison;
}

/**
 * The two tables of a trained model as the rest of kindred takes them, in memory that threads share. Input vectors become integers by one
 * scale for all, the largest component of any: what one item weighs in a pool against another stays as trained.
 */
export class ItemTables implements ItemVectors {
  readonly dims: number;
  readonly outputs?: OutputVectors;
  /** For `attach` in another thread. */
  readonly shared: SharedTables;

  /** @throws KindredError INVALID_ARGUMENT: dims out of range, tables of another size, an item twice, NaN or infinity */
  constructor(tables: TrainedTables | SharedTables) {
    this.shared = "ids" in tables ? tables : share(tables);
    this.dims = this.shared.dims;
    const { outputs, itemsBy } = this.shared;
    if (outputs !== undefined) this.outputs = { itemsBy, vector: (item) => this.#row(item, outputs) };
  }

  vector(item: ItemId): Int16Array | undefined {
    return this.#row(item, this.shared.inputs);
  }

  #row<Table extends Int16Array | Float32Array>(item: ItemId, table: Table): Table | undefined {
    const row = rowOfId(this.shared.ids, item);
    if (row < 0) return undefined;
    const vector = table.subarray(row * this.dims, (row + 1) * this.dims) as Table;
    return vector.some((component) => component !== 0) ? vector : undefined;
  }
}

function share({ items, dims, inputs, outputs, itemsBy = "input-cosine" }: TrainedTables): SharedTables {
  if (!Number.isInteger(dims) || dims < 8 || dims > 1024)
    throw new KindredError("INVALID_ARGUMENT", `item tables have 8 to 1024 dimensions, not ${dims}`, "dims");
  checkTable(inputs, items.length * dims, "inputs");
  const ids = shareIds(items);
  if (outputs !== undefined) checkTable(outputs, items.length * dims, "outputs");
  return { dims, ids, inputs: quantised(inputs), itemsBy, ...(outputs && { outputs: shareFloats(outputs) }) };
}

function shareFloats(table: Float32Array): Float32Array {
  const shared = new Float32Array(new SharedArrayBuffer(table.byteLength));
  shared.set(table);
  return shared;
}

function checkTable(table: Float32Array, length: number, where: string): void {
  if (table.length !== length) throw new KindredError("INVALID_ARGUMENT", `the table has ${table.length} numbers, not ${length}`, where);
  const bad = firstNotFinite(table);
  if (bad >= 0) throw new KindredError("INVALID_ARGUMENT", `the table holds ${table[bad]} at ${bad}`, where);
}

function quantised(table: Float32Array): Int16Array {
  let largest = 0;
  for (let i = 0; i < table.length; i++) {
    const size = Math.abs(table[i] as number);
    if (size > largest) largest = size;
  }
  const scale = largest === 0 ? 0 : MOST / largest;
  const integers = new Int16Array(new SharedArrayBuffer(2 * table.length));
  for (let i = 0; i < table.length; i++) integers[i] = Math.round((table[i] as number) * scale);
  return integers;
}
