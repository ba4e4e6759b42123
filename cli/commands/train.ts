import { type Command, Option } from "commander";
import { isNumberRange, type SettingValue } from "../../models/training/model-kind.js";
import { type AnyKind, MODEL_KINDS } from "../../models/training/model-kinds.js";
import { KindredError } from "../../schemas/errors.js";
import type { EpochMs } from "../../schemas/ids.js";
import type { Terminal } from "../command-frame.js";
import {
  addClientOptions,
  type ClientOptions,
  choiceFlag,
  configurationOf,
  integerFlag,
  numberFlag,
  printResult,
  serverOf,
  timeFlag,
} from "../command-options.js";
import { addEventFileOptions, type EventFileFlags, eventRowOptions, type Reading } from "../files/event-file.js";
import { addItemsFileOptions, type ItemsFileFlags, itemsFileOf } from "../files/items-file.js";
import { Progress } from "../progress.js";
import { untilStopped } from "../stop-signals.js";
import { defaultThreads } from "../training/threads.js";
import { trainShown } from "../training/train-shown.js";
import { type ReadSet, setOfFiles, setOfLog, setOfSplit, setOfState } from "../training/training-source.js";

interface TrainOptions extends ClientOptions, EventFileFlags, ItemsFileFlags {
  readonly train?: string;
  readonly from?: readonly string[];
  readonly since?: EpochMs;
  readonly until?: EpochMs;
  readonly out: string;
  readonly restart?: boolean;
  readonly checkpointEvery: number;
}

type KindOptions = TrainOptions & Readonly<Record<string, SettingValue>>;

/** Refused lines that are told one by one. */
const LISTED = 20;

/** One command a kind; flags and their help are its tables. */
export function addTrain(program: Command, terminal: Terminal): void {
  const train = program.command("train").description("a model of what people did, as a folder");
  for (const kind of MODEL_KINDS) {
    const command = addSourceOptions(train.command(kind.kind).description(`${kind.summary}; stopped, the same command goes on`))
      .requiredOption("--out <directory>", "folder of the model: made, or replaced where it holds one")
      .option("--restart", "begin anew where a training was stopped")
      .option("--checkpoint-every <seconds>", "how much work a crash may cost", numberFlag(0.01, 1e6), 60);
    for (const name of Object.keys(kind.about)) command.addOption(settingOption(kind, name));
    command.action((options: KindOptions) => trainKind(kind, options, terminal));
  }
}

/** What a model is trained on. */
function addSourceOptions(command: Command): Command {
  addClientOptions(command)
    .option("--train <file>", "histories: `user item item ...` a line, gzipped or not (default: what the state holds)")
    .option("--from <file...>", "files of events, as replay reads them; `journal` or `kafka`: the live log from its begin");
  addItemsFileOptions(command, "--items <file>", "side information of the items of --train or --from files, as items import reads it");
  return addEventFileOptions(command)
    .option("--since <time>", "of --from files, only events from this time on", timeFlag)
    .option("--until <time>", "of --from files, only events before this time", timeFlag);
}

const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function settingOption({ about, defaults, ranges }: AnyKind, name: string): Option {
  const [flag, range, text] = [flagOf(name), ranges[name]!, about[name]!];
  const fallback = name === "threads" ? defaultThreads() : defaults[name];
  if (range === "boolean") return new Option(flag, text).default(fallback);
  if (range === "text") return new Option(`${flag} <text>`, text).default(fallback);
  if (!isNumberRange(range))
    return new Option(`${flag} <name>`, `${text}: ${range.join(" or ")}`).argParser(choiceFlag(...range)).default(fallback);
  const [least, most, integer] = range;
  return new Option(`${flag} <number>`, text).argParser((integer ? integerFlag : numberFlag)(least, most)).default(fallback);
}

/** @throws KindredError USAGE, and why the source can't be read */
async function readSet(options: TrainOptions, terminal: Terminal, signal: AbortSignal): Promise<ReadSet> {
  const { train, from, items, format, since, until } = options;
  const config = configurationOf(options, terminal);
  if (train !== undefined && from !== undefined) throw new KindredError("USAGE", "--train or --from, not both");
  const log = from?.find((name) => name === "journal" || name === "kafka");
  if (items !== undefined && ((train === undefined && from === undefined) || log !== undefined))
    throw new KindredError("USAGE", "--items goes with --train or --from files; state and log have side information of their own");
  if (log !== undefined && (from?.length !== 1 || log !== config.source.kind))
    throw new KindredError("USAGE", `source.kind is ${config.source.kind}; allowed: --from ${config.source.kind}, or files`);
  const progress = new Progress({ label: "read", unit: from === undefined ? "users" : "events", stream: process.stderr });
  let listed = 0;
  const reading: Reading = {
    signal,
    onProgress: (done, share) => progress.update(done, share),
    onRejected: (code, message, where) => void (listed++ < LISTED && terminal.stderr.write(`warning ${code}: ${message} (${where})\n`)),
  };
  try {
    const infos = itemsFileOf(options);
    if (train !== undefined) return await setOfSplit(train, infos, reading);
    if (log !== undefined) return await setOfLog(config, reading);
    if (from === undefined) return await setOfState(config, await serverOf(options, config, signal), reading);
    const limits = { ...(since !== undefined && { since }), ...(until !== undefined && { until }) };
    return await setOfFiles(config, { paths: from, format, ...eventRowOptions(options), ...limits }, infos, reading);
  } finally {
    progress.stop();
  }
}

async function trainKind(kind: AnyKind, options: KindOptions, terminal: Terminal): Promise<void> {
  const { out: into } = options;
  const settings = Object.fromEntries(Object.keys(kind.about).map((name) => [name, options[name]!]));
  await untilStopped(async (signal) => {
    const { set, ...read } = await readSet(options, terminal, signal);
    const { restart = false, checkpointEvery } = options;
    const work = { signal, restart, checkpointEveryMs: checkpointEvery * 1000 };
    const report = { ...(await trainShown(into, kind, set, settings, work)), ...read };
    const pairsPerCpuSecond = Math.round(report.pairs / Math.max(1e-9, report.cpuSeconds));
    const text =
      `${report.items} items, ${report.users} users, ${report.pairs} pairs in ${report.cpuSeconds.toFixed(1)} CPU seconds ` +
      `(${pairsPerCpuSecond}/s), loss ${report.loss.toFixed(3)}${report.resumed ? ", gone on from a checkpoint" : ""}`;
    const rejected = report.rejected === 0 ? "" : `, ${report.rejected} lines rejected`;
    printResult(terminal, options, { ...report, pairsPerCpuSecond, into }, `${text}${rejected}${report.done ? `: ${into}` : ""}`);
    if (!report.done) throw new KindredError("NOT_READY", "stopped before the end; the same command goes on from here", into);
  });
}
