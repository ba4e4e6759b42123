import { availableParallelism } from "node:os";
import { type Command, Option } from "commander";
import { readHistories } from "../../models/histories.js";
import { isNumberRange, type SettingValue } from "../../models/model-kind.js";
import { type AnyKind, MODEL_KINDS } from "../../models/model-kinds.js";
import { trainInto } from "../../models/train-into.js";
import { KindredError } from "../../schemas/errors.js";
import type { TrainingSet } from "../../schemas/model.js";
import type { Terminal } from "../command-frame.js";
import { choiceFlag, integerFlag, numberFlag, printResult } from "../command-options.js";
import { Progress } from "../progress.js";
import { untilStopped } from "../stop-signals.js";

interface TrainOptions {
  readonly train: string;
  readonly out: string;
  readonly restart?: boolean;
  readonly checkpointEvery: number;
  readonly json?: boolean;
}

/** One command a kind; flags and their help are its tables. */
export function addTrain(program: Command, terminal: Terminal): void {
  const train = program.command("train").description("a model of what people did, as a folder");
  for (const kind of MODEL_KINDS) {
    const command = train
      .command(kind.kind)
      .description(`${kind.summary}; stopped, the same command goes on`)
      .requiredOption("--train <file>", "histories: `user item item ...` a line, gzipped or not")
      .requiredOption("--out <directory>", "folder of the model: made, or replaced where it holds one")
      .option("--restart", "begin anew where a training was stopped")
      .option("--checkpoint-every <seconds>", "how much work a crash may cost", numberFlag(0.01, 1e6), 60)
      .option("--json", "print the result as JSON");
    for (const name of Object.keys(kind.about)) command.addOption(settingOption(kind, name));
    command.action((options: TrainOptions & Readonly<Record<string, SettingValue>>) => trainKind(kind, options, terminal));
  }
}

const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function settingOption({ about, defaults, ranges }: AnyKind, name: string): Option {
  const [flag, range, text] = [flagOf(name), ranges[name]!, about[name]!];
  const fallback = name === "threads" ? availableParallelism() : defaults[name];
  if (range === "boolean") return new Option(flag, text).default(fallback);
  if (range === "text") return new Option(`${flag} <text>`, text).default(fallback);
  if (!isNumberRange(range))
    return new Option(`${flag} <name>`, `${text}: ${range.join(" or ")}`).argParser(choiceFlag(...range)).default(fallback);
  const [least, most, integer] = range;
  return new Option(`${flag} <number>`, text).argParser((integer ? integerFlag : numberFlag)(least, most)).default(fallback);
}

async function trainKind(kind: AnyKind, options: TrainOptions & Readonly<Record<string, SettingValue>>, terminal: Terminal): Promise<void> {
  const { out: into, json } = options;
  const set: TrainingSet = { histories: await readHistories(options.train) };
  const settings = Object.fromEntries(Object.keys(kind.about).map((name) => [name, options[name]!]));
  const progress = new Progress({ label: "train", unit: "pairs", stream: process.stderr });
  let note: string | undefined;
  // What an earlier call did took none of this one's time.
  let first: { readonly pairs: number; readonly share: number } | undefined;
  const report = await untilStopped((signal) =>
    trainInto(into, kind, set, settings, {
      signal,
      restart: options.restart === true,
      checkpointEveryMs: options.checkpointEvery * 1000,
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
