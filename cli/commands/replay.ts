import { stat } from "node:fs/promises";
import type { Command } from "commander";
import type { Config } from "../../schemas/config.js";
import { KindredError } from "../../schemas/errors.js";
import type { EpochMs } from "../../schemas/ids.js";
import { MAX_BATCH_RECORDS } from "../../schemas/ports/folded-batch.js";
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
import { addEventFileOptions, type EventFileFlags, eventRowOptions } from "../files/event-file.js";
import { formatOf } from "../files/file-format.js";
import { Progress } from "../progress.js";
import { untilStopped } from "../stop-signals.js";
import {
  type BackfillReport,
  type BackfillSource,
  backfillJournal,
  backfillOffline,
  backfillSlices,
  type OnProgress,
} from "../wiring/backfill.js";
import { intakeTarget, serverTarget } from "../wiring/file-sender.js";
import { type FoldedTopic, foldTopic } from "../wiring/kafka/fold-topic.js";
import { withTopics } from "../wiring/kafka/kafka-topics.js";
import { shadowDirectory } from "../wiring/updater-stores.js";

interface ReplayOptions extends ClientOptions, EventFileFlags {
  readonly from?: string;
  readonly since?: EpochMs;
  readonly until?: EpochMs;
  readonly speed?: number;
  readonly into: "live" | "shadow";
  readonly again?: boolean;
  readonly batch?: number;
}

export function addReplay(program: Command, terminal: Terminal): void {
  const command = addClientOptions(
    program
      .command("replay")
      .description("a backfill through the very same pipeline: from a file, or the live log (journal or topic) into a shadow state"),
  ).option("--from <file>", "csv, tsv or ndjson, gzipped or not; `journal` or `kafka`, the live log (the default with --into shadow)");
  addEventFileOptions(command)
    .option("--since <time>", "only events from this time on", timeFlag)
    .option("--until <time>", "only events before this time", timeFlag)
    .option("--speed <factor>", "as fast as it happened, times this (default: as fast as it goes)", numberFlag(0.001, 1e9))
    .option(
      "--into <state>",
      "live, or shadow: a state of its own in the data directory, to try something out",
      choiceFlag("live", "shadow"),
      "live",
    )
    .option("--again", "read a file once more that was read before, and count it once more")
    .option("--batch <n>", "most events of one atomic write", integerFlag(1, MAX_BATCH_RECORDS))
    .action((options: ReplayOptions) => replay(options, terminal));
}

/** @throws KindredError USAGE, FILE_FORMAT (it is not there) */
async function sourceOf(path: string, options: ReplayOptions): Promise<BackfillSource> {
  const format = formatOf(path, options.format);
  try {
    if (!(await stat(path)).isFile()) throw new KindredError("FILE_FORMAT", "this is not a file", path);
  } catch (cause) {
    throw cause instanceof KindredError
      ? cause
      : new KindredError("FILE_FORMAT", `the file cannot be read: ${(cause as Error).message}`, path, { cause });
  }
  const { since, until, again, speed } = options;
  const limits = { ...(since !== undefined && { since }), ...(until !== undefined && { until }), ...(speed !== undefined && { speed }) };
  return { path, format, ...eventRowOptions(options), again: again === true, ...limits };
}

/** Whether the live log itself is folded anew, and no file. @throws KindredError USAGE */
function isLog({ from, into, since, until, speed }: ReplayOptions, { source }: Config): boolean {
  if (from === undefined && into === "live") throw new KindredError("USAGE", "--from FILE is needed; see kindred replay --help");
  if (from !== undefined && from !== "journal" && from !== "kafka") {
    if (source.kind === "kafka" && into === "shadow")
      throw new KindredError(
        "USAGE",
        "a shadow of a file needs source.kind journal; with Kafka the shadow is of the events topic: --from kafka",
      );
    return false;
  }
  if (into === "live") throw new KindredError("USAGE", `the ${from} is in the live state already; --into shadow folds it anew beside it`);
  if (from !== undefined && from !== source.kind)
    throw new KindredError("USAGE", `source.kind is ${source.kind}; allowed: --from ${source.kind}`);
  if (since !== undefined || until !== undefined || speed !== undefined)
    throw new KindredError("USAGE", "the live log is folded anew as a whole: --since, --until and --speed are for files");
  return true;
}

/** Runs what the options ask for. */
async function run(
  options: ReplayOptions,
  config: Config,
  source: BackfillSource | undefined,
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<BackfillReport & Partial<FoldedTopic>> {
  const isKafka = config.source.kind === "kafka";
  if (!source) return isKafka ? foldTopic(config, signal, onProgress) : backfillJournal(config, signal, onProgress);
  if (options.into === "shadow") return backfillOffline({ ...config, dataDir: shadowDirectory(config) }, source, signal, onProgress);
  const server = await serverOf(options, config, signal);
  if (server) return backfillSlices(config, serverTarget(server), source, signal, onProgress);
  if (!isKafka) return backfillOffline(config, source, signal, onProgress);
  return withTopics(config, signal, ({ files }) => backfillSlices(config, intakeTarget(files), source, signal, onProgress));
}

async function replay(options: ReplayOptions, terminal: Terminal): Promise<void> {
  const config = configurationOf(options, terminal, { "pipeline.batchEvents": { flag: "--batch", value: options.batch } });
  const source = isLog(options, config) ? undefined : await sourceOf(options.from as string, options);
  const progress = new Progress({ label: "replay", unit: "events", stream: process.stderr });
  const onProgress = (events: number, share: number): void => progress.update(events, share);
  const started = { at: performance.now(), cpu: process.cpuUsage() };
  const report = await untilStopped((signal) => run(options, config, source, signal, onProgress)).finally(() => progress.stop());
  const seconds = (performance.now() - started.at) / 1000;
  const { user, system } = process.cpuUsage(started.cpu);
  const eventsPerSecond = Math.round(report.appended / seconds);
  const result = {
    events: report.events,
    rejected: report.rejected,
    seconds,
    eventsPerSecond,
    position: report.position,
    cpuSeconds: (user + system) / 1e6,
    known: report.known,
    ...(report.hash !== undefined && { hash: report.hash, rows: report.rows }),
  };
  const known = report.known ? "; the file was read before, and nothing was done (--again counts it once more)" : "";
  const rate = `${report.events} events, ${report.rejected} rejected, in ${seconds.toFixed(1)} s (${eventsPerSecond}/s), at ${report.position}`;
  const hash = report.hash === undefined ? "" : `; ${report.rows} rows with the hash ${report.hash}`;
  printResult(terminal, options, result, `${rate}${known}${hash}`);
  if (report.rejected > 0 && !report.known)
    terminal.stderr.write(`replay: ${report.rejected} lines were not taken; why: kindred dead-letters list --data-dir ${config.dataDir}\n`);
  if (!report.done) throw new KindredError("NOT_READY", "stopped before the end; the same command goes on from here");
}
