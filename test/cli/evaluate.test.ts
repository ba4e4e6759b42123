import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runProgram } from "../../cli/command-frame.js";
import { buildProgram } from "../../cli/program.js";
import { readHistories } from "../../models/histories.js";
import { saveModel, trainingDataOf } from "../../models/model-folder.js";
import type { ItemId } from "../../schemas/ids.js";

describe("kindred evaluate", () => {
  let directory = "";
  const at = (name: string): string => join(directory, name);
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kindred-evaluate-command-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  async function evaluate(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    const written = { out: "", err: "" };
    const sink = (name: "out" | "err") => ({
      write: (text: string): void => {
        written[name] += text;
      },
    });
    const terminal = { stdout: sink("out"), stderr: sink("err"), env: {} };
    const code = await runProgram(buildProgram(terminal), ["evaluate", ...args], terminal);
    return { code, ...written };
  }

  /** Two tastes of four items each; what a user did later is of the same taste. `good` knows the tastes, `bad` has them the wrong way round. */
  async function split(): Promise<string[]> {
    const items = (user: number, from: number, to: number): string =>
      Array.from({ length: to - from }, (_, i) => `t${user % 2}:${(from + i + user) % 4}`).join(" ");
    const lines = (from: number, to: number): string => Array.from({ length: 40 }, (_, u) => `u${u} ${items(u, from, to)}`).join("\n");
    writeFileSync(at("train.txt"), lines(0, 3));
    writeFileSync(at("test.txt"), lines(3, 4));
    writeFileSync(at("friends.txt"), "u0 u2\nu1\tu3\n\n");
    const train = await readHistories(at("train.txt"));
    const ids = train.items as readonly ItemId[];
    const matrix = (wrong: boolean) => ({
      dims: 2,
      values: Float32Array.from(ids.flatMap((id) => (id.startsWith("t0") === wrong ? [0, 1] : [1, 0]))),
    });
    for (const name of ["good", "bad"])
      await saveModel(
        at(name),
        { kind: "item2vec", items: ids, input: matrix(false), output: matrix(name === "bad"), score: "dot" },
        { seed: 1, data: trainingDataOf(train), settings: {}, metrics: {} },
      );
    return [at("good"), at("bad"), "--train", at("train.txt"), "--test", at("test.txt"), "--k", "1,3"];
  }

  it("says of two models which finds what people did later, as a table, as JSON and as a page", async () => {
    const args = await split();
    const { code, out } = await evaluate(...args, "--friends", at("friends.txt"), "--html", at("report.html"), "--json");
    expect(code).toBe(0);
    const report = JSON.parse(out) as { models: { name: string; u2i: Record<string, number> }[] };
    const { models } = report;
    expect(models.map(({ name }) => name)).toEqual(["good", "bad", "popularity"]);
    expect(models.map(({ u2i }) => u2i["recall@1"]).slice(0, 2)).toEqual([1, 0]);
    expect(readFileSync(at("report.html"), "utf8")).toContain("good");
    const table = await evaluate(...args);
    expect(table.out).toMatch(/good.*1\.0000/);
    const [bad] = (JSON.parse((await evaluate(...args.toSpliced(0, 1), "--json")).out) as typeof report).models;
    expect(bad?.u2i).toEqual(report.models[1]?.u2i);
  });

  it.each([
    ["a folder that holds no model", (args: string[]) => [directory, ...args.slice(1)], /MODEL_INVALID/],
    ["a length of lists that is none", (args: string[]) => [...args.slice(0, -1), "0"], /INVALID|USAGE|--k/],
    ["a file that is not there", (args: string[]) => [...args.slice(0, 2), "--train", "nowhere", "--test", "nowhere"], /nowhere/],
  ])("refuses %s, and says so", async (_, change, said) => {
    const args = await split();
    const { code, err } = await evaluate(...change(args));
    expect(code).not.toBe(0);
    expect(err).toMatch(said);
  });

  it("names the line of a friends file that has not two users", async () => {
    const args = await split();
    writeFileSync(at("friends.txt"), "u0 u2\nu1 u2 u3\n");
    const { code, err } = await evaluate(...args, "--friends", at("friends.txt"));
    expect(code).not.toBe(0);
    expect(err).toMatch(/FILE_LINE.*friends\.txt line 2/);
  });
});
