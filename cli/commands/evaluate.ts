import { writeFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { caseStudies } from "../../models/evaluation/case-studies.js";
import { type EvaluationOptions, evaluateShared, type NamedModel } from "../../models/evaluation/evaluate-models.js";
import type { Friendship } from "../../models/evaluation/friends.js";
import { pictureOf } from "../../models/evaluation/picture.js";
import { reportJson } from "../../models/evaluation/report.js";
import { reportHtml } from "../../models/evaluation/report-html.js";
import { reportTable } from "../../models/evaluation/report-table.js";
import { shareRows } from "../../models/evaluation/shared-rows.js";
import { loadModel } from "../../models/model-folder/model-folder.js";
import { readHistories } from "../../models/training-set/histories.js";
import { KindredError } from "../../schemas/errors.js";
import type { ItemId } from "../../schemas/ids.js";
import type { Terminal } from "../command-frame.js";
import { integerFlag, printResult } from "../command-options.js";
import { addItemsFileOptions, type ItemsFileFlags, itemsFileOf, type ReadItems, readItemsFile } from "../files/items-file.js";
import { Progress } from "../progress.js";
import { untilStopped } from "../stop-signals.js";

interface EvaluateOptions extends ItemsFileFlags {
  readonly model: readonly string[];
  readonly train: string;
  readonly test: string;
  readonly friends?: string;
  readonly cold?: readonly number[];
  readonly k: readonly number[];
  readonly users?: number;
  readonly neighbourUsers: number;
  readonly rounds: number;
  readonly seed: number;
  readonly html?: string;
  readonly json?: boolean;
}

export function addEvaluate(program: Command, terminal: Terminal): void {
  const command = program
    .command("evaluate")
    .description("models side by side, and popularity beside them, by what people did later: a table, JSON, one HTML page")
    .requiredOption("--model <directory...>", "folders of models; the others are compared with the first")
    .requiredOption("--train <file>", "histories that users are pooled from: `user item item ...` a line, gzipped or not")
    .requiredOption("--test <file>", "what is to be found, in the same format")
    .option("--friends <file>", "who knows whom: `user friend friend ...` a line")
    .option("--cold <numbers>", "also users of test whom train lacks, after so many of their first events: 0,1,3,10", eventsFlag);
  addItemsFileOptions(command, "--titles, --items <file>", "side information: titles for what people look at, types for recall by type")
    .option("--k <numbers>", "lengths of lists, comma separated", ksFlag, [20])
    .option("--users <number>", "users who are asked, drawn by the seed (default: all)", integerFlag(1, 2 ** 31))
    .option("--neighbour-users <number>", "users whose neighbours are looked at; 0: none", integerFlag(0, 2 ** 31), 1000)
    .option("--rounds <number>", "of each significance test; 0: none", integerFlag(0, 1_000_000), 2000)
    .option("--seed <number>", "of all draws", integerFlag(0, 2 ** 32 - 1), 1)
    .option("--html <file>", "a page with charts, cases and a picture of the items")
    .option("--json", "print the result as JSON: u2i of the first model at the top, and the whole report")
    .addHelpText("after", "\nkindred split makes --train and --test of one file; train the models on that train file, and on nothing else.")
    .action((options: EvaluateOptions) => evaluate(options, terminal));
}

const ksFlag = (text: string): number[] => differentNumbers(text, 1);
const eventsFlag = (text: string): number[] => differentNumbers(text, 0);

function differentNumbers(text: string, least: number): number[] {
  const numbers = text.split(",").map((one) => (one.trim() === "" ? Number.NaN : Number(one)));
  if (new Set(numbers).size !== numbers.length || numbers.some((one) => !Number.isInteger(one) || one < least || one > 10_000))
    throw new InvalidArgumentError(`it must be different integers from ${least} to 10000, comma separated.`);
  return numbers;
}

async function evaluate(options: EvaluateOptions, terminal: Terminal): Promise<void> {
  const { train, test, html, friends, cold = [], k, json, users, neighbourUsers, rounds, seed } = options;
  const [histories, wanted] = [await readHistories(train), await readHistories(test)];
  const models = await namedModels(options.model);
  const friendships = friends === undefined ? undefined : await friendshipsOf(friends);
  const infos = await infosOf(options, terminal);
  const vectors = models.map(({ model }) => model);
  const shared = shareRows(histories, wanted, vectors, { newcomers: cold.length > 0 });
  const progress = new Progress({ label: "evaluate", unit: "lists", stream: process.stderr });
  const report = await untilStopped((signal) => {
    const onProgress = (done: number, total: number): void => progress.update(done, done / total);
    const asked: EvaluationOptions = {
      ...{ ks: k, newcomers: cold, neighbourUsers, rounds, seed, signal, onProgress },
      ...(users !== undefined && { users }),
      ...(friendships && { friendships }),
      ...(infos && { typeOf: (item) => infos.get(item)?.type }),
    };
    return evaluateShared(models, shared, asked);
  }).finally(() => progress.stop());
  if (report.models[0]?.friends?.pairs === 0) terminal.stderr.write(`warning: nobody of ${train} is a friend of another one there\n`);
  if (cold.length > 0 && (report.split.newcomers ?? []).every((asked) => asked.users === 0))
    terminal.stderr.write(`warning: nobody of ${test} is new to ${train} and did more than so many things\n`);
  const text = reportTable(report).trimEnd();
  printResult(terminal, { json: json === true }, reportJson(report), html === undefined ? text : `${text}\n\n${html}`);
  if (html === undefined) return;
  const shown = { seed, titleOf: (item: ItemId) => infos?.get(item)?.title };
  const cases = await caseStudies(models, shared, shown);
  const pictures = models.map((one) => pictureOf(one, histories, shown));
  await writePage(html, reportHtml(report, `${models.map(({ name }) => name).join(", ")} on ${basename(test)}`, { cases, pictures }));
}

async function infosOf(options: EvaluateOptions, terminal: Terminal): Promise<ReadItems["infos"] | undefined> {
  const file = itemsFileOf(options);
  if (file === undefined) return undefined;
  const { infos, rejected } = await untilStopped((signal) => readItemsFile(file, { signal, onRejected: () => undefined }));
  if (rejected > 0) terminal.stderr.write(`warning: ${rejected} lines of ${file.path} say nothing of an item\n`);
  return infos;
}

/** By the folder's name; by its path where two are called the same, or like the baseline. */
async function namedModels(directories: readonly string[]): Promise<NamedModel[]> {
  const names = [...directories.map((directory) => basename(resolve(directory))), "popularity"];
  const clear = new Set(names).size === names.length;
  const models: NamedModel[] = [];
  for (const [i, directory] of directories.entries()) models.push({ name: clear ? names[i]! : directory, ...(await loadModel(directory)) });
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
