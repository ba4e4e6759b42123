import { expect, it } from "vitest";
import { caseStudies } from "../../../models/evaluation/case-studies.js";
import { shareRows } from "../../../models/evaluation/shared-rows.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { ItemModel } from "../../../schemas/model.js";
import { historiesOf } from "./made-up-split.js";

const items = ["a", "b", "c", "d"] as ItemId[];
/** a and b one way, c and d the other; outputs say the next letter. */
const model: ItemModel = {
  kind: "k",
  items,
  input: { dims: 2, values: Float32Array.of(1, 0, 0.9, 0.1, 0, 1, 0.1, 0.9) },
  output: { dims: 2, values: Float32Array.of(0, 0, 1, 0, 0.5, 0.4, 0, 1) },
  score: "dot",
};
const train = historiesOf({ ann: ["a"], bob: ["c", "a"], eve: ["a", "b"], dan: ["d"] });
const test = historiesOf({ ann: ["c"], bob: ["d"] });

it("asks users and the most popular item of each third, and names what it finds", async () => {
  const titles: Record<string, string> = { a: "Alpha", c: "Gamma" };
  const named = { name: "one", model };
  const cases = await caseStudies([named], shareRows(train, test, [model]), { k: 2, titleOf: (item) => titles[item] });
  const shown = cases.map(({ title, given, lists }) => [
    title,
    given,
    lists[0]!.items.map((item) => (item.hit ? `!${item.title}` : item.title)),
  ]);
  // 6 interactions: a has 3 and so the first half; b, c and d one each.
  expect(shown).toEqual([
    ["for ann", ["Alpha"], ["b", "!Gamma"]],
    ["for bob", ["Alpha", "Gamma"], ["b", "!d"]],
    ["near Alpha (head, 3 users)", ["Alpha"], ["b", "d"]],
    ["near Gamma (middle, 1 users)", ["Gamma"], ["d", "b"]],
    ["near b (tail, 1 users)", ["b"], ["Alpha", "d"]],
  ]);
});

it("shows the beginning of a long history, and how long it is", async () => {
  const long = historiesOf({ u: Array.from({ length: 30 }, (_, i) => `i${i}`) });
  const [one] = await caseStudies([{ name: "m", model }], shareRows(long, historiesOf({ u: ["a"] }), [model]), { users: 1, items: 0 });
  expect([one!.given.length, one!.givenCount, one!.lists[0]!.items]).toEqual([12, 30, []]);
});
