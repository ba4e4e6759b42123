import { availableParallelism } from "node:os";
import { type Command, Option } from "commander";
import { readHistories } from "../../models/histories.js";
import { ITEM2VEC_DEFAULTS, ITEM2VEC_RANGES, type Item2vecSettings } from "../../models/item2vec-settings.js";
import { trainItem2vecInto } from "../../models/train-into.js";
import { KindredError } from "../../schemas/errors.js";
import type { Terminal } from "../command-frame.js";
import { choiceFlag, integerFlag, numberFlag, printResult } from "../command-options.js";
import { Progress } from "../progress.js";
import { untilStopped } from "../stop-signals.js";

type TrainOptions = Partial<Item2vecSettings> & {
  readonly train: string;
  readonly out: string;
  readonly restart?: boolean;
  readonly json?: boolean;
};

/** What each setting is, as --help has it. */
const ABOUT: Readonly<Record<keyof Item2vecSettings, string>> = {
  dims: "dimensions of the vectors",
  epochs: "times that all histories are gone through",
  seed: "of all random choices",
  threads: "threads; with 1 the same command gives the same model bit for bit",
  window: "items of a shuffled history that are each other's context",
  negatives: "random items that those of a window are held against together",
  negativeWeight: "what negatives weigh against one pair",
  exponent: "an item is a negative in proportion to its popularity to this power",
  sample: "share of all interactions above which an item's are left out at random; 0: none",
  constrained: "share of negatives of the same type and popularity stratum as an item of the window: above 0 for the long tail",
  strata: "popularity strata of each type",
  optimizer: "adagrad or sgd",
  rate: "learning rate of the first step",
  lastRate: "learning rate of the last step",
};

export function addTrain(program: Command, terminal: Terminal): void {
  const train = program.command("train").description("a model of what people did, as a folder");
  const item2vec = train
    .command("item2vec")
    .description("vectors of items that are in the same histories (skip-gram with negative sampling); stopped, the same command goes on")
    .requiredOption("--train <file>", "histories: `user item item ...` a line, gzipped or not")
    .requiredOption("--out <directory>", "folder of the model: made, or replaced where it holds one")
    .option("--restart", "begin anew where a training was stopped")
    .option("--json", "print the result as JSON");
  for (const [name, about] of Object.entries(ABOUT) as [keyof Item2vecSettings, string][]) item2vec.addOption(settingOption(name, about));
  item2vec.action((options: TrainOptions) => trainItem2vec(options, terminal));
}

function settingOption(name: keyof Item2vecSettings, about: string): Option {
  const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  if (name === "optimizer")
    return new Option(`${flag} <name>`, about).argParser(choiceFlag("adagrad", "sgd")).default(ITEM2VEC_DEFAULTS.optimizer);
  const [least, most, integer] = ITEM2VEC_RANGES[name];
  const fallback = name === "threads" ? availableParallelism() : ITEM2VEC_DEFAULTS[name];
  return new Option(`${flag} <number>`, about).argParser((integer ? integerFlag : numberFlag)(least, most)).default(fallback);
}

async function trainItem2vec({ train, out: into, restart, json, ...settings }: TrainOptions, terminal: Terminal): Promise<void> {
  const histories = await readHistories(train);
  const progress = new Progress({ label: "train", unit: "pairs", stream: process.stderr });
  let note: string | undefined;
  // What an earlier call did took none of this one's time.
  let first: { readonly pairs: number; readonly share: number } | undefined;
  const report = await untilStopped((signal) =>
    trainItem2vecInto(into, histories, settings, {
      signal,
      restart: restart === true,
      onProgress: ({ pairs, share, loss, epoch }) => {
        if (loss !== undefined) note = `epoch ${epoch + 1}, loss ${loss.toFixed(3)}`;
        first ??= { pairs, share };
        progress.update(pairs - first.pairs, (share - first.share) / Math.max(1e-9, 1 - first.share), note);
      },
    }),
  ).finally(() => progress.stop());
  const pairsPerCpuSecond = Math.round(report.pairs / Math.max(1e-9, report.cpuSeconds));
  const text =
    `${report.items} items, ${report.users} users, ${report.pairs} pairs in ${report.cpuSeconds.toFixed(1)} CPU seconds ` +
    `(${pairsPerCpuSecond}/s), loss ${report.loss.toFixed(3)}${report.resumed ? ", gone on from a checkpoint" : ""}`;
  printResult(terminal, { json: json === true }, { ...report, pairsPerCpuSecond, into }, report.done ? `${text}: ${into}` : text);
  if (!report.done) throw new KindredError("NOT_READY", "stopped before the end; the same command goes on from here", into);
}
