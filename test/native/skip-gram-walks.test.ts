import { describe, expect, test } from "vitest";
import {
  createSkipGramTrainer,
  type SkipGramOptions,
  type SkipGramRelation,
  type SkipGramTables,
  type SkipGramTrainer,
  type SkipGramWalks,
} from "../../native/skip-gram.js";

// Items 0 to 3 (types 0 and 1), users 4 to 6 (type 2), a tag 7 (type 3). User 4 has items 0 (weighing 3) and 1, user 5 has 1 and 2, user 6 has 3.
const relation = (first: number, lists: readonly (readonly [target: number, weight: number][])[]): SkipGramRelation => ({
  first,
  starts: Uint32Array.from([0, ...lists.map((_, i) => lists.slice(0, i + 1).reduce((sum, list) => sum + list.length, 0))]),
  targets: Uint32Array.from(lists.flatMap((list) => list.map(([target]) => target))),
  weights: Float32Array.from(lists.flatMap((list) => list.map(([, weight]) => weight))),
});
const USER_ITEM = relation(4, [
  [
    [0, 3],
    [1, 1],
  ],
  [
    [1, 1],
    [2, 1],
  ],
  [[3, 1]],
]);
const ITEM_USER = relation(0, [
  [[4, 3]],
  [
    [4, 1],
    [5, 1],
  ],
  [[5, 1]],
  [[6, 1]],
]);
const walks = (over: Partial<SkipGramWalks> = {}): SkipGramWalks => ({
  relations: [USER_ITEM, ITEM_USER],
  paths: [{ relations: Uint32Array.of(0, 1), nodes: Uint32Array.of(4, 5, 6) }],
  length: 9,
  window: 2,
  types: 4,
  contexts: new Uint32Array(16).fill(1),
  typedNegatives: false,
  ...over,
});
const NODES = 8;
const TYPES = Uint32Array.of(0, 0, 1, 1, 2, 2, 2, 3);
const options = (over: Partial<SkipGramOptions> = {}): SkipGramOptions => ({
  ...{ dims: 12, epochs: 5, threads: 1, seed: 3, block: 6, negatives: 4, negativeWeight: 2, strataShare: 0, rate: 0.1, lastRate: 0.01 },
  ...{ adagrad: true, plain: false, starts: Uint32Array.of(0), rows: new Uint32Array(0) },
  ...{ weights: new Float32Array(NODES).fill(1), strata: TYPES, keep: new Float32Array(NODES).fill(1), walks: walks() },
  ...over,
});
const trainerOf = (over: Partial<SkipGramWalks> = {}): SkipGramTrainer => createSkipGramTrainer(options({ walks: walks(over) }));

describe("walks", () => {
  test("follow the relations of their path from the walker's own node, by seed, epoch and walker alone", () => {
    const [one, two] = [trainerOf(), trainerOf()];
    for (let epoch = 0; epoch < 20; epoch++)
      for (const [walker, node] of [4, 5, 6].entries()) {
        const walk = one.walk(epoch, walker);
        expect(two.walk(epoch, walker)).toEqual(walk);
        expect([walk[0], walk.length]).toEqual([node, 9]);
        for (let at = 0; at + 1 < walk.length; at++) {
          const { first, starts, targets } = at % 2 === 0 ? USER_ITEM : ITEM_USER;
          expect([...targets.subarray(starts[walk[at]! - first], starts[walk[at]! - first + 1])]).toContain(walk[at + 1]);
        }
      }
    expect(one.walk(1, 0)).not.toEqual(one.walk(2, 0));
    expect(() => one.walk(0, 3)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("take edges in proportion to their weight", () => {
    const trainer = trainerOf({ length: 2 });
    let first = 0;
    for (let epoch = 0; epoch < 20_000; epoch++) if (trainer.walk(epoch, 0)[1] === 0) first++;
    // 3 of 4, with a standard error of .003.
    expect(Math.abs(first / 20_000 - 0.75)).toBeLessThan(0.015);
  });

  test("end where no edge leads on, and go through several paths", () => {
    const toTag = relation(0, [[], [[7, 1]], [], []]);
    const fromTag = relation(7, [[]]);
    const paths = [
      { relations: Uint32Array.of(0, 1), nodes: Uint32Array.of(6) },
      { relations: Uint32Array.of(2, 3), nodes: Uint32Array.of(1, 0) },
    ];
    const trainer = trainerOf({ relations: [USER_ITEM, ITEM_USER, toTag, fromTag], paths });
    expect([...trainer.walk(0, 0)]).toEqual([6, 3, 6, 3, 6, 3, 6, 3, 6]);
    expect([[...trainer.walk(0, 1)], [...trainer.walk(0, 2)]]).toEqual([[1, 7], [0]]);
  });

  test.each([
    ["an edge beyond the nodes", { relations: [USER_ITEM, relation(0, [[[8, 1]], [], [], []])] }],
    ["an edge that weighs nothing", { relations: [relation(4, [[[0, 0]], [], []]), ITEM_USER] }],
    ["starts that fall", { relations: [{ ...USER_ITEM, starts: Uint32Array.of(0, 4, 2, 5) }, ITEM_USER] }],
    ["a relation that is not there", { paths: [{ relations: Uint32Array.of(0, 2), nodes: Uint32Array.of(4) }] }],
    ["a step that ends where the next can't begin", { paths: [{ relations: Uint32Array.of(0, 0), nodes: Uint32Array.of(4) }] }],
    ["a begin that the first relation does not know", { paths: [{ relations: Uint32Array.of(0, 1), nodes: Uint32Array.of(0) }] }],
    ["nowhere to begin", { paths: [] }],
    ["contexts of other types", { contexts: new Uint32Array(9) }],
    ["a type that is not there", { types: 3, contexts: new Uint32Array(9) }],
  ])("are refused with %s", (_what, over) => {
    expect(() => trainerOf(over)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** What one step makes of the tables, in doubles: pairs of the window whose types are context, and what negatives weigh against each. */
function oracle(
  before: SkipGramTables,
  own: readonly number[],
  negatives: readonly number[],
  given: SkipGramWalks,
  weight: number,
  rate: number,
) {
  const dims = 12;
  const row = (table: Float32Array, node: number): number[] => [...table.subarray(node * dims, (node + 1) * dims)];
  const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, d) => sum + x * b[d]!, 0);
  const group = (node: number): number => (given.typedNegatives ? TYPES[node]! : 0);
  const all = [...own, ...negatives];
  const [left, right] = [own.map(() => new Float64Array(dims)), all.map(() => new Float64Array(dims))];
  let [loss, pairs] = [0, 0];
  for (const [i, node] of own.entries()) {
    const isContext = (j: number): boolean =>
      Math.abs(i - j) <= given.window && own[j] !== node && given.contexts[TYPES[node]! * given.types + TYPES[own[j]!]!] === 1;
    const contexts = own.flatMap((_, j) => (isContext(j) ? [j] : []));
    pairs += contexts.length;
    for (const [j, other] of all.entries()) {
      const score = dot(row(before.input, node), row(before.output, other));
      const against =
        contexts.filter((c) => group(own[c]!) === group(other)).length / negatives.filter((n) => group(n) === group(other)).length;
      const factor = j >= own.length ? -weight * against * sigmoid(score) : isContext(j) ? 1 - sigmoid(score) : 0;
      if (j >= own.length) loss -= weight * against * Math.log(sigmoid(-score));
      else if (isContext(j)) loss -= Math.log(sigmoid(score));
      for (let d = 0; d < dims; d++) {
        left[i]![d]! += factor * row(before.output, other)[d]!;
        right[j]![d]! += factor * row(before.input, node)[d]!;
      }
    }
  }
  const [input, output] = [Float64Array.from(before.input), Float64Array.from(before.output)];
  for (const [i, node] of own.entries()) for (let d = 0; d < dims; d++) input[node * dims + d]! += rate * left[i]![d]!;
  for (const [j, node] of all.entries()) for (let d = 0; d < dims; d++) output[node * dims + d]! += rate * right[j]![d]!;
  return { input, output, loss, pairs };
}

describe("a step over a part of a walk", () => {
  // Users have items as context, items have users and items of the type 0; user 5 comes twice and is no context of itself.
  const some = new Uint32Array(16);
  for (const [a, b] of [
    [2, 0],
    [2, 1],
    [0, 2],
    [1, 2],
    [0, 0],
    [1, 0],
  ] as const)
    some[a * 4 + b] = 1;

  test.each([
    ["all types, untyped negatives", walks()],
    ["all types, typed negatives", walks({ typedNegatives: true })],
    ["some types, typed negatives, a wide window", walks({ typedNegatives: true, contexts: some, window: 4 })],
    ["some types, untyped negatives, a narrow window", walks({ contexts: some, window: 1 })],
  ])("is that of the papers: %s", (_what, given) => {
    for (const plain of [false, true]) {
      const trainer = createSkipGramTrainer(options({ walks: given, adagrad: false, plain }));
      const { input, inputSquares } = trainer.read();
      const fill = (phase: number): Float32Array => Float32Array.from({ length: input.length }, (_, i) => Math.sin(i * 1.7 + phase) * 0.6);
      const before: SkipGramTables = { input: fill(0), output: fill(1), inputSquares, outputSquares: inputSquares };
      trainer.write(before, trainer.progress());
      const [own, negatives] = [
        [5, 1, 4, 2, 5, 0],
        [3, 6, 7, 3],
      ];
      trainer.step(Uint32Array.from(own), Uint32Array.from(negatives), 0.05);
      const wanted = oracle(before, own, negatives, given, 2, 0.05);
      const after = trainer.read();
      for (const name of ["input", "output"] as const)
        for (const [i, value] of wanted[name].entries()) expect(Math.abs(after[name][i]! - value)).toBeLessThan(1e-5);
      expect(trainer.progress().pairs).toBe(wanted.pairs);
      expect(trainer.progress().loss).toBeCloseTo(wanted.loss, 3);
    }
  });
});

describe("training over walks", () => {
  test("goes on where it was stopped to the same tables, and no node is touched that no walk meets", async () => {
    const many = { epochs: 3000, walks: walks() };
    // Negatives are those that are met.
    const weights = Float32Array.from({ length: NODES }, (_, node) => (node === 7 ? 0 : 1));
    const whole = createSkipGramTrainer(options({ ...many, weights }));
    const start = whole.read();
    expect(await whole.train()).toBe(true);
    const half = createSkipGramTrainer(options({ ...many, weights }));
    const running = half.train();
    while (half.progress().pairs === 0) await new Promise((resolve) => setImmediate(resolve));
    half.stop();
    expect(await running).toBe(false);
    const rest = createSkipGramTrainer(options({ ...many, weights }));
    rest.write(half.read(), half.progress());
    expect(await rest.train()).toBe(true);
    expect(rest.read()).toEqual(whole.read());
    const { cpuSeconds: _, ...progress } = whole.progress();
    expect(rest.progress()).toMatchObject(progress);
    const tag = (table: Float32Array): number[] => [...table.subarray(7 * 12)];
    expect(tag(whole.read().input)).toEqual(tag(start.input));
    expect(tag(whole.read().output)).toEqual(tag(start.output));
  });

  test("puts together what walks lead to, and tells apart what they don't", async () => {
    const trainer = createSkipGramTrainer(options({ epochs: 300, block: 9 }));
    await trainer.train();
    const { input, output } = trainer.read();
    const score = (a: number, b: number): number => {
      let sum = 0;
      for (let d = 0; d < 12; d++) sum += input[a * 12 + d]! * output[b * 12 + d]!;
      return sum;
    };
    // User 6 and item 3 are a world of their own.
    expect(score(6, 3)).toBeGreaterThan(Math.max(score(6, 0), score(6, 1), score(6, 2)) + 1);
    expect(score(4, 0)).toBeGreaterThan(score(4, 3) + 1);
  });
});
