import { readFile, writeFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import type { Command } from "commander";
import { caseStudies } from "../../models/evaluation/case-studies.js";
import { evaluateModels, type NamedModel } from "../../models/evaluation/evaluate-models.js";
import type { Friendship } from "../../models/evaluation/friends.js";
import { pictureOf } from "../../models/evaluation/picture.js";
import { reportJson } from "../../models/evaluation/report.js";
import { reportHtml } from "../../models/evaluation/report-html.js";
import { reportTable } from "../../models/evaluation/report-table.js";
import { readHistories } from "../../models/histories.js";
import { loadModel } from "../../models/model-folder.js";
import { KindredError } from "../../schemas/errors.js";
import type { Terminal } from "../command-frame.js";
import { integerFlag, printResult } from "../command-options.js";
import { Progress } from "../progress.js";
import { untilStopped } from "../stop-signals.js";

interface EvaluateOptions {
  readonly train: string;
  readonly test: string;
  readonly friends?: string;
  readonly k: readonly number[];
  readonly users?: number;
  readonly neighbourUsers: number;
  readonly rounds: number;
  readonly seed: number;
  readonly html?: string;
  readonly json?: boolean;
}

const LONGEST_LIST = 1_000;

export function addEvaluate(program: Command, terminal: Terminal): void {
  program
    .command("evaluate")
    .description("models side by side on what people did later; popularity beside them (docs/EVALUATION.md)")
    .argument("<model...>", "model folders; each but the first is compared with the first")
    .requiredOption("--train <file>", "the histories that models were trained on: `user item item ...` a line, gzipped or not")
    .requiredOption("--test <file>", "what the same users did later, as --train")
    .option("--friends <file>", "pairs of users who are friends, one a line")
    .option("--k <numbers>", "lengths of lists, separated by commas", lengthsOf, [20])
    .option("--users <number>", "users who are asked, drawn by the seed; else all", integerFlag(1, 1e9))
    .option("--neighbour-users <number>", "users whose neighbours are looked at; 0: none", integerFlag(0, 1e9), 1_000)
    .option("--rounds <number>", "of each significance test; 0: none", integerFlag(0, 1e6), 2_000)
    .option("--seed <number>", "of all draws", integerFlag(0, 2 ** 31 - 1), 1)
    .option("--html <file>", "also one page with charts, lists with names and a picture of each space")
    .option("--json", "print the report as JSON")
    .action((folders: string[], options: EvaluateOptions) => evaluate(folders, options, terminal));
}

/** @throws KindredError INVALID_ARGUMENT */
function lengthsOf(text: string): number[] {
  return text.split(",").map((one) => integerFlag(1, LONGEST_LIST)(one.trim()));
}

async function evaluate(folders: readonly string[], options: EvaluateOptions, terminal: Terminal): Promise<void> {
  const models: NamedModel[] = [];
  for (const [i, name] of namesOf(folders).entries()) models.push({ name, model: (await loadModel(folders[i] as string)).model });
  const [train, test] = [await readHistories(options.train), await readHistories(options.test)];
  const friendships = options.friends === undefined ? undefined : await readFriends(options.friends);
  const progress = new Progress({ label: "evaluate", unit: "queries", stream: process.stderr });
  const { k: ks, users, neighbourUsers, rounds, seed } = options;
  const report = await untilStopped((signal) =>
    evaluateModels(models, train, test, {
      ks,
      neighbourUsers,
      rounds,
      seed,
      signal,
      ...(users !== undefined && { users }),
      ...(friendships !== undefined && { friendships }),
      onProgress: (done, total) => progress.update(done, done / total),
    }),
  ).finally(() => progress.stop());
  if (options.html !== undefined) {
    const cases = await caseStudies(models, train, test, { seed });
    const pictures = models.map((model) => pictureOf(model, train, { seed }));
    await writeFile(options.html, reportHtml(report, `Evaluation: ${models.map(({ name }) => name).join(", ")}`, { cases, pictures }));
  }
  printResult(terminal, options, reportJson(report), reportTable(report));
}

/** The folders' own names, or their paths where two are called alike. */
function namesOf(folders: readonly string[]): string[] {
  const names = folders.map((folder) => basename(resolve(folder)));
  return new Set(names).size === names.length ? names : [...folders];
}

/** @throws KindredError FILE_LINE */
async function readFriends(path: string): Promise<Friendship[]> {
  const lines = (await readFile(path, "utf8")).split(/\r?\n/);
  return lines.flatMap((line, i): Friendship[] => {
    const [one, other, ...more] = line.trim().split(/\s+/);
    if (!one) return [];
    if (!other || more.length > 0) throw new KindredError("FILE_LINE", "a line of friends has two users", `${path} line ${i + 1}`);
    return [[one, other]];
  });
}
