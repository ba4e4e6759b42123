import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ItemTables } from "../../../models/item-vectors/item-tables.js";
import type { ItemId } from "../../../schemas/ids.js";

const items = ["a", "b", "c"] as ItemId[];
const table = (...rows: number[][]): Float32Array =>
  Float32Array.from(rows.flatMap((row) => [...row, ...new Array(8 - row.length).fill(0)]));

describe("ItemTables", () => {
  it("quantises inputs by one scale, so that items keep their lengths against each other", () => {
    const tables = new ItemTables({ items, dims: 8, inputs: table([0.5, -0.25], [0.125], [-0.5]) });
    expect(tables.vector("a" as ItemId)).toEqual(Int16Array.of(32767, -16383, 0, 0, 0, 0, 0, 0));
    expect(tables.vector("b" as ItemId)?.[0]).toBe(8192);
    expect(tables.vector("c" as ItemId)?.[0]).toBe(-32767);
    expect(tables.outputs).toBeUndefined();
  });

  it("keeps each component to half a step of the scale", () => {
    fc.assert(
      fc.property(fc.array(fc.float({ noNaN: true, min: -100, max: 100 }), { minLength: 16, maxLength: 16 }), (numbers) => {
        const inputs = Float32Array.from(numbers);
        const largest = inputs.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
        const tables = new ItemTables({ items: items.slice(0, 2), dims: 8, inputs });
        for (const [row, item] of ["a", "b"].entries())
          tables.vector(item as ItemId)?.forEach((x, d) => {
            expect(Math.abs((x * largest) / 32767 - inputs[row * 8 + d]!)).toBeLessThanOrEqual((largest / 32767) * 0.501);
          });
      }),
    );
  });

  it("gives outputs as they are, nothing of items that it does not have or whose row is zero", () => {
    const outputs = table([3, 4], [], [1e-9]);
    const tables = new ItemTables({ items, dims: 8, inputs: table([1], [1], []), outputs, itemsBy: "output-inner-product" });
    expect(tables.outputs?.itemsBy).toBe("output-inner-product");
    expect(tables.outputs?.vector("a" as ItemId)).toEqual(Float32Array.of(3, 4, 0, 0, 0, 0, 0, 0));
    expect(tables.outputs?.vector("b" as ItemId)).toBeUndefined();
    expect(tables.outputs?.vector("c" as ItemId)).toBeDefined();
    expect([tables.vector("c" as ItemId), tables.vector("z" as ItemId), tables.outputs?.vector("z" as ItemId)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it.each([
    [{ items, dims: 7, inputs: new Float32Array(21) }, "dims"],
    [{ items, dims: 8, inputs: new Float32Array(23) }, "inputs"],
    [{ items: ["a", "b", "a"] as ItemId[], dims: 8, inputs: new Float32Array(24) }, "items"],
    [{ items, dims: 8, inputs: table([1], [Number.NaN], [1]) }, "inputs"],
    [{ items, dims: 8, inputs: new Float32Array(24), outputs: new Float32Array(16) }, "outputs"],
    [{ items, dims: 8, inputs: new Float32Array(24), outputs: table([1], [1], [Number.POSITIVE_INFINITY]) }, "outputs"],
  ])("refuses tables that are wrong: %#", (tables, where) => {
    expect(() => new ItemTables(tables)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", where }));
  });
});
