import { expect, it } from "vitest";
import { mixSideInformation } from "../../../models/training/mix-side-information.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { ItemInfo } from "../../../schemas/item.js";

const items = ["a", "b", "c", "d"] as ItemId[];
const info = (item: string, over: Partial<ItemInfo>): [ItemId, ItemInfo] => [
  item as ItemId,
  { item: item as ItemId, type: "song", ...over },
];

it("draws an item with few events towards those of its labels, by hand", () => {
  const infos = new Map([
    info("a", { creators: ["x"] }),
    info("b", { creators: ["x"], tags: ["t"] }),
    info("c", { creators: ["x"], tags: ["t"] }),
  ]);
  // Trust with weight 2: 0, 1/2, 3/4, 1/3. Volumes: 1, sqrt 3, sqrt 7, sqrt 2.
  const popularity = Uint32Array.from([0, 2, 6, 1]);
  const [input, output] = [Float32Array.from([9, 9, 1, 0, 0, 1, 5, 5]), Float32Array.from([9, 9, 2, 0, 0, 2, 5, 5])];
  mixSideInformation(items, infos, popularity, 2, { dims: 2, input, output });
  // Nothing of its own: the mean of b and c by 1/2 and 3/4.
  expect(input[0]).toBeCloseTo(0.5 / 1.25);
  expect(input[1]).toBeCloseTo(0.75 / 1.25);
  expect(output[0]).toBeCloseTo((0.5 / 1.25) * (2 / Math.sqrt(3)));
  expect(output[1]).toBeCloseTo((0.75 / 1.25) * (2 / Math.sqrt(7)));
  // Half of its own; creator and tag both say c, as nothing is trusted of a.
  expect([...input.subarray(2, 4)]).toEqual([0.5, 0.5]);
  expect(output[3]).toBeCloseTo(0.5 * Math.sqrt(3) * (2 / Math.sqrt(7)));
  // Nothing is known of d.
  expect([...input.subarray(6), ...output.subarray(6)]).toEqual([5, 5, 5, 5]);
});

it("leaves an item alone whose labels nobody else has, or nobody with events", () => {
  const infos = new Map([info("a", { creators: ["x"] }), info("b", { creators: ["y"] }), info("c", { creators: ["y"] })]);
  const [input, output] = [Float32Array.from([1, 2, 3, 4]), Float32Array.from([1, 2, 3, 4])];
  mixSideInformation(items, infos, Uint32Array.from([5, 5, 0, 1]), 2, { dims: 1, input, output });
  expect([input[0], input[1], input[3]]).toEqual([1, 2, 4]);
  expect(input[2]).toBe(2);
});
