import { writeFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { caseStudies } from "../../models/evaluation/case-studies.js";
import { type EvaluationOptions, evaluateModels, type NamedModel } from "../../models/evaluation/evaluate-models.js";
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
  readonly model: readonly string[];
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

export function addEvaluate(program: Command, terminal: Terminal): void {
  program
    .command("evaluate")
    .description("models side by side, and popularity beside them, by what people did later: a table, JSON, one HTML page")
    .requiredOption("--model <directory...>", "folders of models; the others are compared with the first")
    .requiredOption("--train <file>", "histories that users are pooled from: `user item item ...` a line, gzipped or not")
    .requiredOption("--test <file>", "what is to be found, in the same format")
    .option("--friends <file>", "who knows whom: `user friend friend ...` a line")
    .option("--k <numbers>", "lengths of lists, comma separated", ksFlag, [20])
    .option("--users <number>", "users who are asked, drawn by the seed (default: all)", integerFlag(1, 2 ** 31))
    .option("--neighbour-users <number>", "users whose neighbours are looked at; 0: none", integerFlag(0, 2 ** 31), 1000)
    .option("--rounds <number>", "of each significance test; 0: none", integerFlag(0, 1_000_000), 2000)
    .option("--seed <number>", "of all draws", integerFlag(0, 2 ** 32 - 1), 1)
    .option("--html <file>", "a page with charts, cases and a picture of the items")
    .option("--json", "print the result as JSON: u2i of the first model at the top, and the whole report")
    .action((options: EvaluateOptions) => evaluate(options, terminal));
}

function ksFlag(text: string): number[] {
  const ks = text.split(",").map(Number);
  if (new Set(ks).size !== ks.length || ks.some((k) => !Number.isInteger(k) || k < 1 || k > 10_000))
    throw new InvalidArgumentError("it must be different integers from 1 to 10000, comma separated.");
  return ks;
}

async function evaluate({ model, train, test, html, friends, k, json, ...draws }: EvaluateOptions, terminal: Terminal): Promise<void> {
  const [histories, wanted] = [await readHistories(train), await readHistories(test)];
  const models = await namedModels(model);
  const friendships = friends === undefined ? undefined : await friendshipsOf(friends);
  const progress = new Progress({ label: "evaluate", unit: "lists", stream: process.stderr });
  const report = await untilStopped((signal) => {
    const onProgress = (done: number, total: number): void => progress.update(done, done / total);
    const options: EvaluationOptions = { ...draws, ks: k, signal, onProgress, ...(friendships && { friendships }) };
    return evaluateModels(models, histories, wanted, options);
  }).finally(() => progress.stop());
  if (html !== undefined) {
    const { seed } = draws;
    const cases = await caseStudies(models, histories, wanted, { seed });
    const pictures = models.map((one) => pictureOf(one, histories, { seed }));
    await writePage(html, reportHtml(report, `${models.map(({ name }) => name).join(", ")} on ${basename(test)}`, { cases, pictures }));
  }
  const text = reportTable(report).trimEnd();
  printResult(terminal, { json: json === true }, reportJson(report), html === undefined ? text : `${text}\n\n${html}`);
}

/** By the folder's name; by its path where two are called the same, or like the baseline. */
async function namedModels(directories: readonly string[]): Promise<NamedModel[]> {
  const names = [...directories.map((directory) => basename(resolve(directory))), "popularity"];
  const clear = new Set(names).size === names.length;
  const models: NamedModel[] = [];
  for (const [i, directory] of directories.entries())
    models.push({ name: clear ? names[i]! : directory, model: (await loadModel(directory)).model });
  return models;
}

async function friendshipsOf(file: string): Promise<Friendship[]> {
  const { users, items, starts, rows } = await readHistories(file);
  return users.flatMap((user, u) => Array.from(rows.subarray(starts[u], starts[u + 1]), (row): Friendship => [user, items[row]!]));
}

async function writePage(file: string, page: string): Promise<void> {
  try {
    await writeFile(file, page);
  } catch (cause) {
    throw new KindredError("STORAGE_FAILED", `the page can't be written: ${(cause as Error).message}`, file, { cause });
  }
}
