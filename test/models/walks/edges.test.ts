import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Edges, filtered, labelEdges, reversed } from "../../../models/walks/edges.js";

const TARGETS = 7;
const edges = fc
  .array(fc.array(fc.tuple(fc.nat(TARGETS - 1), fc.integer({ min: 1, max: 9 })), { maxLength: 5 }), { maxLength: 8 })
  .map((lists): Edges => {
    const starts = new Uint32Array(lists.length + 1);
    for (const [i, list] of lists.entries()) starts[i + 1] = starts[i]! + list.length;
    const all = lists.flat();
    return { starts, targets: Uint32Array.from(all, ([target]) => target), weights: Float32Array.from(all, ([, weight]) => weight) };
  });

/** Every edge as `from to weight`, sorted. */
const listed = ({ starts, targets, weights }: Edges, turned = false): string[] => {
  const all: string[] = [];
  for (let node = 0; node + 1 < starts.length; node++)
    for (let at = starts[node]!; at < starts[node + 1]!; at++)
      all.push(`${turned ? `${targets[at]} ${node}` : `${node} ${targets[at]}`} ${weights[at]}`);
  return all.sort();
};

describe("edges", () => {
  it("are the same from their other end", () => {
    fc.assert(
      fc.property(edges, (given) => {
        const back = reversed(given, TARGETS);
        expect(back.starts.length).toBe(TARGETS + 1);
        expect(listed(back, true)).toEqual(listed(given));
      }),
    );
  });

  it("are those that are kept, in their order", () => {
    fc.assert(
      fc.property(edges, (given) => {
        const kept = filtered(given, (edge) => given.weights[edge]! > 4);
        expect(kept.starts.length).toBe(given.starts.length);
        expect(listed(kept)).toEqual(listed(given).filter((edge) => Number(edge.split(" ")[2]) > 4));
      }),
    );
  });

  it("number labels as they first come", () => {
    const { edges: made, labels } = labelEdges([["b", "a"], [], ["a", "c"]]);
    expect(labels).toEqual(["b", "a", "c"]);
    expect(listed(made)).toEqual(["0 0 1", "0 1 1", "2 1 1", "2 2 1"]);
  });
});
