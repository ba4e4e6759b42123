import { describe, expect, test } from "vitest";
import {
  createInteractionGraphTrainer,
  type InteractionExample,
  type InteractionGraphOptions,
  type InteractionGraphTrainer,
  interactionGraphSpectrum,
} from "../../native/interaction-graph.js";
import type { SkipGramTables } from "../../native/skip-gram.js";
import { seededRandom } from "../harness/seeded-random.js";

const ITEMS = 14;
/** 30 users with 3 to 6 items each, every third edge of weight 2.5. */
function graph(weighted = false): Pick<InteractionGraphOptions, "items" | "starts" | "rows" | "weights"> {
  const random = seededRandom(3);
  const histories = Array.from({ length: 30 }, () => {
    const items = new Set<number>();
    const wanted = 3 + random(4);
    while (items.size < wanted) items.add(random(ITEMS));
    return [...items];
  });
  const starts = Uint32Array.from([0, ...histories.keys()].map((_, at) => histories.slice(0, at).flat().length));
  const rows = Uint32Array.from(histories.flat());
  const weights = rows.map((_, at) => (at % 3 === 0 ? 5 : 2));
  return { items: ITEMS, starts, rows, ...(weighted && { weights: Float32Array.from(weights, (weight) => weight / 2) }) };
}

const options = (over: Partial<InteractionGraphOptions> = {}): InteractionGraphOptions => ({
  ...{
    dims: 10,
    epochs: 4,
    threads: 1,
    seed: 5,
    passes: 6,
    negatives: 6,
    negativeWeight: 2.5,
    leastKept: 0.3,
    mostKept: 1,
    fewShare: 0.2,
    few: 3,
    inputSmoothing: 4,
    inputSmoothingEach: 0.1,
  },
  ...{ positives: 64, userExponent: 0.4, rate: 0.1, memory: 0.9, smoothing: 0.3, smoothingUser: 0.4, smoothingItem: 0.7, plain: false },
  ...graph(),
  ...over,
});

type Rows = number[][];
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, d) => sum + x * b[d]!, 0);
const rowsOf = (table: Float32Array, dims: number): Rows =>
  Array.from({ length: table.length / dims }, (_, row) => [...table.subarray(row * dims, (row + 1) * dims)]);

/** Weights of edges as the kernel has them: their mean is 1. */
function edgesOf({ starts, rows, weights }: InteractionGraphOptions): { readonly item: number; readonly weight: number }[][] {
  const mean = weights === undefined ? 1 : weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
  return Array.from({ length: starts.length - 1 }, (_, user) =>
    Array.from(rows.subarray(starts[user], starts[user + 1]), (item, at) => ({
      item,
      weight: (weights?.[starts[user]! + at] ?? 1) / mean,
    })),
  );
}

/** D_u^-1/2 R D_i^-1/2 with degrees + 3, dense. */
function normalised(given: InteractionGraphOptions): Rows {
  const edges = edgesOf(given);
  const degrees = new Array<number>(given.items).fill(0);
  for (const { item, weight } of edges.flat()) degrees[item]! += weight;
  return edges.map((own) => {
    const degree = own.reduce((sum, { weight }) => sum + weight, 0);
    const row = new Array<number>(given.items).fill(0);
    for (const { item, weight } of own) row[item] = weight / Math.sqrt((degree + 3) * (degrees[item]! + 3));
    return row;
  });
}

describe("interactionGraphSpectrum", () => {
  const gramOf = (matrix: Rows): Rows =>
    Array.from({ length: ITEMS }, (_, i) =>
      Array.from({ length: ITEMS }, (_, j) => matrix.reduce((sum, row) => sum + row[i]! * row[j]!, 0)),
    );

  test.each([
    [false, false],
    [true, false],
    [false, true],
  ])("has the eigenvectors of A'A for the squares of its values, and none is left out: weighted %s, plain %s", (weighted, plain) => {
    const given = options(graph(weighted));
    const { values, vectors } = interactionGraphSpectrum({ ...given, rank: ITEMS, passes: 8, seed: 1, plain });
    const gram = gramOf(normalised(given));
    const columns = Array.from({ length: ITEMS }, (_, c) => Array.from({ length: ITEMS }, (_, i) => vectors[i * ITEMS + c]!));
    for (const [c, column] of columns.entries()) {
      for (const [other, against] of columns.entries()) expect(dot(column, against)).toBeCloseTo(c === other ? 1 : 0, 4);
      for (let i = 0; i < ITEMS; i++) expect(dot(gram[i]!, column)).toBeCloseTo(values[c]! ** 2 * column[i]!, 4);
    }
    // The trace is the sum of all of them.
    expect(values.reduce((sum, value) => sum + value ** 2, 0)).toBeCloseTo(
      gram.reduce((sum, row, i) => sum + row[i]!, 0),
      4,
    );
    expect([...values]).toEqual([...values].sort((a, b) => b - a));
  });

  test("of two circles that share nothing has a vector for each, whose value is known", () => {
    // 4 users with the same 3 items: 12 equal entries of 1 / sqrt((3 + 3) (4 + 3)).
    const [starts, rows] = [Uint32Array.from([0, 3, 6, 9, 12, 14, 16]), Uint32Array.from([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 3, 4, 3, 4])];
    const { values, vectors } = interactionGraphSpectrum({ items: 6, starts, rows, rank: 4, passes: 6, seed: 1, plain: false });
    expect(values[0]).toBeCloseTo(Math.sqrt(12 / (6 * 7)), 5);
    expect(values[1]).toBeCloseTo(Math.sqrt(4 / (5 * 5)), 5);
    for (let item = 0; item < 3; item++) expect(Math.abs(vectors[item * 4]!)).toBeCloseTo(Math.sqrt(1 / 3), 4);
    // Beyond the rank, and of an item nobody has, there is nothing.
    expect([values[2], values[3]]).toEqual([0, 0]);
    expect([...vectors].filter((_, at) => at % 4 >= 2 || at >= 20).every((value) => value === 0)).toBe(true);
  });
});

/** Loss of the examples, in doubles; the tables as they are. */
function lossOf(
  given: InteractionGraphOptions,
  input: Rows,
  output: Rows,
  examples: readonly InteractionExample[],
  negatives: Uint32Array,
): number {
  const edges = edgesOf(given);
  return examples.reduce((sum, { user, kept, weights, hidden }) => {
    const norm = 1 / Math.sqrt(weights.reduce((squares, weight) => squares + weight ** 2, 0));
    const pool = input[0]!.map((_, d) => norm * kept.reduce((total, item, at) => total + weights[at]! * input[item]![d]!, 0));
    const others = [...negatives].filter((item) => !edges[user]!.some((edge) => edge.item === item));
    const against = given.negativeWeight * others.reduce((total, item) => total + Math.exp(dot(pool, output[item]!)), 0);
    const losses = [...hidden].map((item) => Math.log1p(against / Math.exp(dot(pool, output[item]!))));
    return sum + hidden.length ** -given.userExponent * losses.reduce((total, loss) => total + loss, 0);
  }, 0);
}

/** Tables that are not near zero, so that scores are -3 to 3. */
function busyTables(trainer: InteractionGraphTrainer): SkipGramTables {
  const fill = (length: number, phase: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.sin(i * 1.7 + phase) * 0.6);
  const { input, inputSquares } = trainer.read();
  const none = new Float32Array(inputSquares.length);
  return { input: fill(input.length, 0), output: fill(input.length, 1), inputSquares: none, outputSquares: none };
}

describe("a step", () => {
  const negatives = Uint32Array.from([9, 10, 11, 12, 13]);

  test.each([false, true])("goes down the gradient that finite differences have, in rows of its own only: plain %s", (plain) => {
    const given = options({ plain, dims: 20, memory: 0.9 });
    const trainer = createInteractionGraphTrainer(given);
    trainer.write(busyTables(trainer), trainer.progress());
    const before = trainer.read();
    // No item is in two places, so that each row makes one step.
    const examples = [
      { user: 0, kept: Uint32Array.from([0, 1, 2]), weights: Float32Array.from([1, 2.5, 0.5]), hidden: Uint32Array.from([3, 4]) },
      { user: 1, kept: Uint32Array.from([5]), weights: Float32Array.from([1]), hidden: Uint32Array.from([6]) },
    ];
    const rate = 0.01;
    trainer.step(examples, negatives, rate);
    const after = trainer.read();
    const [input, output] = [rowsOf(before.input, 20), rowsOf(before.output, 20)];
    for (const [table, moved, squares] of [
      [input, rowsOf(after.input, 20), after.inputSquares],
      [output, rowsOf(after.output, 20), after.outputSquares],
    ] as const)
      for (const [row, values] of table.entries()) {
        const gradient = values.map((value, d) => {
          const at = (x: number): number => {
            values[d] = x;
            const loss = lossOf(given, input, output, examples, negatives);
            values[d] = value;
            return loss;
          };
          return (at(value + 1e-4) - at(value - 1e-4)) / 2e-4;
        });
        const length = Math.sqrt(dot(gradient, gradient));
        if (length < 1e-9) {
          expect(moved[row]).toEqual(values);
          continue;
        }
        expect(Math.sqrt(squares[row]!)).toBeCloseTo(length, 4);
        for (const [d, value] of values.entries()) expect(moved[row]![d]! - value).toBeCloseTo((-rate * gradient[d]!) / length, 5);
      }
    const { hidden, plainLoss } = { hidden: 3, plainLoss: lossOf({ ...given, userExponent: 0 }, input, output, examples, negatives) };
    expect(trainer.progress().pairs).toBe(hidden);
    expect(trainer.progress().loss).toBeCloseTo(plainLoss, 3);
  });

  test("never pushes away what the user has, though it is hidden from the pool", () => {
    const given = options();
    const trainer = createInteractionGraphTrainer(given);
    trainer.write(busyTables(trainer), trainer.progress());
    const before = trainer.read();
    const own = given.rows.slice(given.starts[0], given.starts[1]);
    const example = { user: 0, kept: own.slice(0, 1), weights: Float32Array.from([1]), hidden: own.slice(1, 2) };
    trainer.step([example], own.slice(2), 0.1);
    expect(trainer.read()).toEqual(before);
  });
});

test.each([false, true])("smoothing is the propagation over the graph, by hand: weighted %s", (weighted) => {
  const given = options(graph(weighted));
  const trainer = createInteractionGraphTrainer(given);
  trainer.write(busyTables(trainer), trainer.progress());
  const before = trainer.read();
  trainer.smooth();
  const [input, output] = [rowsOf(before.input, 10), rowsOf(before.output, 10)];
  const sums = output.map((row) => row.map(() => 0));
  const degrees = output.map(() => 0);
  for (const edges of edgesOf(given)) {
    const pool = input[0]!.map((_, d) => edges.reduce((sum, { item, weight }) => sum + weight * input[item]![d]!, 0));
    const degree = edges.reduce((sum, { weight }) => sum + weight, 0);
    const by = degree ** -given.smoothingUser / Math.sqrt(Math.sqrt(dot(pool, pool)));
    for (const { item, weight } of edges) {
      degrees[item]! += weight;
      for (const [d, value] of pool.entries()) sums[item]![d]! += weight * by * value;
    }
  }
  for (const [item, row] of sums.entries()) for (const d of row.keys()) row[d]! *= degrees[item]! ** -given.smoothingItem;
  const length = (table: Rows): number => Math.sqrt(table.reduce((sum, row) => sum + dot(row, row), 0) / table.length);
  const [own, of] = [length(output), length(sums)];
  const mixed = output.map((row, item) => row.map((value, d) => 0.7 * value + (0.3 * own * sums[item]![d]!) / of));
  const scale = own / length(mixed);
  const found = rowsOf(trainer.read().output, 10);
  for (const [item, row] of mixed.entries()) for (const [d, value] of row.entries()) expect(found[item]![d]).toBeCloseTo(value * scale, 4);
  // Inputs turn towards the same sums by the share of each epoch, and not by how many events they have.
  const turned = rowsOf(trainer.read().input, 10);
  const long = (row: readonly number[]): number => Math.sqrt(dot(row, row));
  for (const [item, row] of input.entries())
    for (const [d, value] of row.entries())
      expect(turned[item]![d]).toBeCloseTo(0.9 * value + (0.1 * long(row) * sums[item]![d]!) / long(sums[item]!), 4);
});

test("inputs stay as they are without a share of each epoch", () => {
  const trainer = createInteractionGraphTrainer(options({ inputSmoothingEach: 0 }));
  trainer.write(busyTables(trainer), trainer.progress());
  const before = trainer.read();
  trainer.smooth();
  expect(trainer.read().input).toEqual(before.input);
  expect(trainer.read().output).not.toEqual(before.output);
});

test.each([false, true])("inputs of items with few events turn to where their users point, by hand: weighted %s", (weighted) => {
  const given = options(graph(weighted));
  const trainer = createInteractionGraphTrainer(given);
  trainer.write(busyTables(trainer), trainer.progress());
  const before = trainer.read();
  trainer.smoothInputs();
  const input = rowsOf(before.input, 10);
  const length = (row: readonly number[]): number => Math.sqrt(dot(row, row));
  const sums = input.map((row) => row.map(() => 0));
  const degrees = input.map(() => 0);
  for (const edges of edgesOf(given)) {
    const pool = input[0]!.map((_, d) => edges.reduce((sum, { item, weight }) => sum + weight * input[item]![d]!, 0));
    const degree = edges.reduce((sum, { weight }) => sum + weight, 0);
    for (const { item, weight } of edges) {
      degrees[item]! += weight;
      for (const [d, value] of pool.entries()) sums[item]![d]! += (weight * degree ** -given.smoothingUser * value) / length(pool);
    }
  }
  const found = rowsOf(trainer.read().input, 10);
  for (const [item, row] of input.entries()) {
    const share = 4 / (4 + degrees[item]!);
    for (const [d, value] of row.entries())
      expect(found[item]![d]).toBeCloseTo((1 - share) * value + (share * length(row) * sums[item]![d]!) / length(sums[item]!), 4);
  }
  expect(trainer.read().output).toEqual(before.output);
});

describe("training", () => {
  test("goes on from a stop to the same bits, also from within an epoch and from before the spectrum", async () => {
    const big = {
      starts: Uint32Array.from({ length: 2001 }, (_, user) => user * 5),
      rows: Uint32Array.from({ length: 10_000 }, (_, at) => (at * at + 3 * at) % 200),
    };
    const given = options({ ...big, items: 200, epochs: 30 });
    const whole = createInteractionGraphTrainer(given);
    expect(await whole.train()).toBe(true);
    const halves = createInteractionGraphTrainer(given);
    const stops: string[] = [];
    for (let done = false; !done; ) {
      setTimeout(() => halves.stop(), 4);
      done = await halves.train();
      const { epoch, user } = halves.progress();
      stops.push(`${epoch} ${user}`);
      const [tables, progress] = [halves.read(), JSON.parse(JSON.stringify(halves.progress()))];
      halves.write(tables, progress);
    }
    expect(new Set(stops).size).toBeGreaterThan(2);
    expect(halves.read()).toEqual(whole.read());
    const { cpuSeconds: _, ...progress } = whole.progress();
    expect(halves.progress()).toMatchObject(progress);
  });

  test("by two threads finds as good a model", async () => {
    const losses = await Promise.all(
      [1, 2].map(async (threads) => {
        const trainer = createInteractionGraphTrainer(options({ threads, epochs: 128 }));
        await trainer.train();
        const { curveLoss, curvePairs } = trainer.progress();
        return curveLoss.at(-1)! / curvePairs.at(-1)!;
      }),
    );
    expect(Math.abs(losses[0]! - losses[1]!)).toBeLessThan(0.15 * losses[0]!);
  });
});

test.each([
  ["a row beyond the items", { items: 3 }],
  ["starts that fall", { starts: Uint32Array.from([0, 5, 3, graph().rows.length]) }],
  ["starts that end elsewhere", { starts: Uint32Array.from([0, 5]) }],
  ["another number of weights", { weights: Float32Array.from([1]) }],
  ["a weight of zero", { weights: new Float32Array(graph().rows.length) }],
  ["a weight that is no number", { weights: new Float32Array(graph().rows.length).fill(Number.NaN) }],
  ["nobody with any item", { starts: Uint32Array.from([0, 0]), rows: new Uint32Array() }],
  ["no dimension", { dims: 0 }],
  ["more kept at least than at most", { leastKept: 0.9, mostKept: 0.5 }],
])("refuses %s", (_, over) => {
  expect(() => createInteractionGraphTrainer(options(over))).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
});
