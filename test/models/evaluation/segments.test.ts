import { expect, it } from "vitest";
import { segmentsOf } from "../../../models/evaluation/segments.js";

it("cuts at thirds of the interactions, ties by row, and takes what nobody had for the tail", () => {
  // 12 interactions: 4 | 2 2 | 2 1 1, the first that begins in a third is of it.
  expect([...segmentsOf(Uint32Array.of(1, 2, 0, 4, 2, 1, 2))]).toEqual([2, 1, 2, 0, 1, 2, 2]);
});

it("gives one item that has everything to the head", () => {
  expect([...segmentsOf(Uint32Array.of(0, 9))]).toEqual([2, 0]);
  expect([...segmentsOf(Uint32Array.of(0, 0))]).toEqual([2, 2]);
});
