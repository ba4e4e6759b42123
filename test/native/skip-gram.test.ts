import { describe, expect, test } from "vitest";
import { createSkipGramTrainer, type SkipGramOptions, type SkipGramTables, type SkipGramTrainer } from "../../native/skip-gram.js";

const ITEMS = 12;
const options = (over: Partial<SkipGramOptions> = {}): SkipGramOptions => ({
  dims: 20,
  epochs: 3,
  threads: 1,
  seed: 5,
  block: 6,
  negatives: 4,
  negativeWeight: 2.5,
  strataShare: 0.5,
  rate: 0.1,
  lastRate: 0.01,
  adagrad: true,
  plain: false,
  // 40 users with the even or the odd half of the items.
  starts: Uint32Array.from({ length: 41 }, (_, user) => user * 6),
  rows: Uint32Array.from({ length: 240 }, (_, at) => (at % 6) * 2 + (Math.floor(at / 6) % 2)),
  weights: new Float32Array(ITEMS).fill(1),
  strata: Uint32Array.from({ length: ITEMS }, (_, item) => item % 3),
  keep: new Float32Array(ITEMS).fill(1),
  ...over,
});

interface Oracle {
  input: number[][];
  output: number[][];
  inputSquares: number[];
  outputSquares: number[];
  loss: number;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, d) => sum + x * b[d]!, 0);

/** One step as the papers have it, in doubles: the gradient of all pairs and negatives of a block, then one update of each row in it. */
function oracleStep(
  state: Oracle,
  own: readonly number[],
  negatives: readonly number[],
  { negativeWeight, adagrad }: SkipGramOptions,
  rate: number,
): void {
  const dims = state.input[0]!.length;
  const zeros = (): number[] => new Array<number>(dims).fill(0);
  const weight = (negativeWeight * (own.length - 1)) / negatives.length;
  const [inputs, outputs] = [own.map(zeros), [...own, ...negatives].map(zeros)];
  for (const [i, left] of own.entries())
    for (const [j, right] of [...own, ...negatives].entries()) {
      if (i === j) continue;
      const score = dot(state.input[left]!, state.output[right]!);
      const factor = j < own.length ? 1 - sigmoid(score) : -weight * sigmoid(score);
      state.loss += j < own.length ? -Math.log(sigmoid(score)) : -weight * Math.log(sigmoid(-score));
      for (let d = 0; d < dims; d++) {
        inputs[i]![d]! += factor * state.output[right]![d]!;
        outputs[j]![d]! += factor * state.input[left]![d]!;
      }
    }
  const apply = (table: number[][], squares: number[], row: number, change: readonly number[]): void => {
    squares[row]! += adagrad ? dot(change, change) / dims : 0;
    const step = adagrad ? rate / Math.sqrt(squares[row]! + 1e-8) : rate;
    for (let d = 0; d < dims; d++) table[row]![d]! += step * change[d]!;
  };
  for (const [i, row] of own.entries()) apply(state.input, state.inputSquares, row, inputs[i]!);
  for (const [j, row] of [...own, ...negatives].entries()) apply(state.output, state.outputSquares, row, outputs[j]!);
}

function oracleOf({ input, output, inputSquares, outputSquares }: SkipGramTables, dims: number): Oracle {
  const rows = (table: Float32Array): number[][] =>
    Array.from({ length: table.length / dims }, (_, row) => [...table.subarray(row * dims, (row + 1) * dims)]);
  return { input: rows(input), output: rows(output), inputSquares: [...inputSquares], outputSquares: [...outputSquares], loss: 0 };
}

/** Tables that are not near zero, so that scores are -3 to 3. */
function busyTables(trainer: SkipGramTrainer): SkipGramTables {
  const fill = (length: number, phase: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.sin(i * 1.7 + phase) * 0.6);
  const { input, inputSquares } = trainer.read();
  return {
    input: fill(input.length, 0),
    output: fill(input.length, 1),
    inputSquares: fill(inputSquares.length, 2).map(Math.abs),
    outputSquares: fill(inputSquares.length, 3).map(Math.abs),
  };
}

const closeTo = (actual: ArrayLike<number>, wanted: readonly number[], by: number): void => {
  expect(actual.length).toBe(wanted.length);
  for (const [i, number] of wanted.entries()) expect(Math.abs(actual[i]! - number)).toBeLessThan(by);
};

describe("skip-gram", () => {
  test.each([
    ["the processor's kernel, AdaGrad", false, true, 20, 6],
    ["the processor's kernel, plain descent", false, false, 64, 5],
    ["the processor's kernel, one pair", false, true, 8, 2],
    ["the portable kernel, AdaGrad", true, true, 20, 6],
    ["the portable kernel, plain descent", true, false, 33, 3],
  ])("a step is what a calculation in doubles gives: %s", (_, plain, adagrad, dims, count) => {
    const given = options({ plain, adagrad, dims, block: 6, negatives: 5 });
    const trainer = createSkipGramTrainer(given);
    const tables = busyTables(trainer);
    const progress = trainer.progress();
    trainer.write(tables, progress);
    const oracle = oracleOf(tables, dims);
    const own = [3, 0, 7, 11, 5, 2].slice(0, count);
    // The second time with a negative that is drawn twice: what it gets is added up, one after the other.
    for (const negatives of [
      [1, 4, 6, 8, 9],
      [1, 4],
    ]) {
      trainer.step(Uint32Array.from(own), Uint32Array.from(negatives), 0.07);
      oracleStep(oracle, own, negatives, given, 0.07);
    }
    const after = trainer.read();
    closeTo(after.input, oracle.input.flat(), 2e-5);
    closeTo(after.output, oracle.output.flat(), 2e-5);
    closeTo(after.inputSquares, oracle.inputSquares, 1e-3);
    closeTo(after.outputSquares, oracle.outputSquares, 1e-3);
    const { loss, lossPairs, pairs } = trainer.progress();
    expect(pairs).toBe(2 * count * (count - 1));
    expect(lossPairs).toBe(pairs);
    expect(Math.abs(loss - oracle.loss)).toBeLessThan(1e-4 * oracle.loss);
  });

  test("items of one half score each other above the other half", async () => {
    const trainer = createSkipGramTrainer(options({ epochs: 40 }));
    expect(await trainer.train()).toBe(true);
    const { input, output } = trainer.read();
    const score = (i: number, j: number): number =>
      dot([...input.subarray(i * 20, i * 20 + 20)], [...output.subarray(j * 20, j * 20 + 20)]);
    for (let i = 0; i < ITEMS; i++)
      for (let j = 0; j < ITEMS; j++) if (i !== j && (i + j) % 2 === 0) expect(score(i, j)).toBeGreaterThan(score(i, (j + 1) % ITEMS) + 1);
  });

  test("one thread gives the same tables for a seed, others for another; pairs are counted", async () => {
    const run = async (over: Partial<SkipGramOptions>): Promise<[SkipGramTables, number]> => {
      const trainer = createSkipGramTrainer(options(over));
      await trainer.train();
      return [trainer.read(), trainer.progress().pairs];
    };
    const [first, pairs] = await run({});
    expect(await run({})).toEqual([first, pairs]);
    expect((await run({ seed: 6 }))[0].input).not.toEqual(first.input);
    // 3 epochs x 40 users x 6 x 5.
    expect(pairs).toBe(3600);
    // Threads share the work out: none is done twice or left out.
    expect((await run({ threads: 3 }))[1]).toBe(3600);
  });

  test("blocks of a long history are of about equal size", async () => {
    const one = options({
      epochs: 1,
      block: 5,
      starts: Uint32Array.of(0, 12),
      rows: Uint32Array.from({ length: 12 }, (_, i) => i),
      weights: new Float32Array(12).fill(1),
    });
    const trainer = createSkipGramTrainer(one);
    await trainer.train();
    // Three blocks of 4, where 5, 5 and 2 would have 42 pairs.
    expect(trainer.progress().pairs).toBe(36);
  });

  test("a user's own items are never negatives: nobody else's outputs move", async () => {
    // All of the users have items 0-5; the negatives can only be 6 and 7, since the others weigh nothing.
    const weights = Float32Array.from({ length: ITEMS }, (_, item) => (item < 8 ? 1 : 0));
    const rows = Uint32Array.from({ length: 240 }, (_, at) => at % 6);
    const trainer = createSkipGramTrainer(options({ rows, weights, strataShare: 1 }));
    await trainer.train();
    const { output, outputSquares } = trainer.read();
    expect([...outputSquares].map((square) => square > 0)).toEqual([...new Array(8).fill(true), ...new Array(4).fill(false)]);
    expect(output.subarray(8 * 20).every((x) => x === 0)).toBe(true);
    // The stratum of 2, 5, 8, 11 has no negative left: others of all are drawn in its place.
    expect(outputSquares[6]).toBeGreaterThan(0);
  });

  test("negatives of the stratum are drawn from it alone", async () => {
    // Users have items 0 and 3 of stratum 0; 6 and 9 are what is left of it.
    const rows = Uint32Array.from({ length: 80 }, (_, at) => (at % 2) * 3);
    const starts = Uint32Array.from({ length: 41 }, (_, user) => user * 2);
    // Rarely drawn themselves, so that no draw is given up.
    const weights = Float32Array.from({ length: ITEMS }, (_, item) => (item === 0 || item === 3 ? 0.001 : 1));
    const trainer = createSkipGramTrainer(options({ rows, starts, weights, strataShare: 1 }));
    await trainer.train();
    const moved = [...trainer.read().outputSquares.entries()].filter(([, square]) => square > 0).map(([item]) => item);
    expect(moved).toEqual([0, 3, 6, 9]);
  });

  test("items that are never kept are in no pair", async () => {
    const keep = Float32Array.from({ length: ITEMS }, (_, item) => (item < 2 ? 0 : 1));
    const trainer = createSkipGramTrainer(
      options({ keep, weights: Float32Array.from({ length: ITEMS }, (_, item) => (item < 2 ? 0 : 1)) }),
    );
    await trainer.train();
    expect(trainer.progress().pairs).toBe(3 * 40 * 5 * 4);
    expect([...trainer.read().inputSquares].map((square) => square > 0)).toEqual([false, false, ...new Array(10).fill(true)]);
  });

  test("a training that is stopped goes on bit-identically in another trainer", async () => {
    const many = options({
      epochs: 60,
      starts: Uint32Array.from({ length: 2001 }, (_, user) => user * 6),
      rows: Uint32Array.from({ length: 12_000 }, (_, at) => (at % 6) * 2 + (Math.floor(at / 6) % 2)),
    });
    const whole = createSkipGramTrainer(many);
    expect(await whole.train()).toBe(true);
    let stops = 0;
    let trainer = createSkipGramTrainer(many);
    for (;;) {
      const training = trainer.train();
      while (trainer.progress().pairs === 0) await new Promise((resolve) => setImmediate(resolve));
      expect(() => trainer.read()).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
      if (stops++ < 3) trainer.stop();
      if (await training) break;
      const { epoch, user } = trainer.progress();
      expect(epoch * 2000 + user).toBeLessThan(60 * 2000);
      const next = createSkipGramTrainer(many);
      next.write(trainer.read(), trainer.progress());
      trainer = next;
    }
    expect(stops).toBeGreaterThan(1);
    expect(trainer.read()).toEqual(whole.read());
    expect(trainer.progress().pairs).toBe(whole.progress().pairs);
  });

  test.each([
    { dims: 0 },
    { dims: 1025 },
    { epochs: 0 },
    { threads: 0 },
    { block: 1 },
    { negatives: 0 },
    { rate: Number.NaN },
    { strataShare: 1.5 },
    { starts: Uint32Array.of(0, 3) },
    { starts: Uint32Array.of() },
    { starts: Uint32Array.of(0, 7, 3, 240) },
    { rows: new Uint32Array(240).fill(ITEMS) },
    { weights: new Float32Array(ITEMS) },
    { weights: new Float32Array(ITEMS).fill(-1) },
    { keep: new Float32Array(ITEMS).fill(2) },
    { keep: new Float32Array(3) },
    { strata: new Uint32Array(ITEMS).fill(4_000_000_000) },
  ])("wrong options are refused with a code: %#", (wrong) => {
    expect(() => createSkipGramTrainer(options(wrong))).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("tables of another size, progress beyond the end, and blocks of one are refused", () => {
    const trainer = createSkipGramTrainer(options());
    const refused = expect.objectContaining({ code: "INVALID_ARGUMENT" });
    const [tables, progress] = [trainer.read(), trainer.progress()];
    expect(() => trainer.write({ ...tables, input: new Float32Array(3) }, progress)).toThrow(refused);
    expect(() => trainer.write({ ...tables, outputSquares: new Float32Array(3) }, progress)).toThrow(refused);
    expect(() => trainer.write(tables, { ...progress, epoch: 4 })).toThrow(refused);
    expect(() => trainer.write(tables, { ...progress, user: 41 })).toThrow(refused);
    expect(() => trainer.step(Uint32Array.of(1), Uint32Array.of(2), 0.1)).toThrow(refused);
    expect(() => trainer.step(Uint32Array.of(1, 99), Uint32Array.of(2), 0.1)).toThrow(refused);
  });
});
