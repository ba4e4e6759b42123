import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import {
  cutLeaving,
  historiesInTime,
  holdOut,
  holdOutUsers,
  leaveLastOut,
  type Split,
  type SplitEvent,
  splitAtTime,
} from "../../models/evaluation/splits.js";
import { readHistories } from "../../models/training-set/histories.js";
import { isWritable, writeHistories } from "../../models/training-set/split-file.js";
import { KindredError } from "../../schemas/errors.js";
import type { BehaviourEvent } from "../../schemas/event.js";
import type { EpochMs } from "../../schemas/ids.js";
import type { Terminal } from "../command-frame.js";
import {
  addCommonOptions,
  type CommonOptions,
  choiceFlag,
  configurationOf,
  integerFlag,
  numberFlag,
  printResult,
  timeFlag,
} from "../command-options.js";
import { addEventFileOptions, type EventFileFlags, eventRowOptions, readEventFile } from "../files/event-file.js";
import { Progress } from "../progress.js";
import { untilStopped } from "../stop-signals.js";
import { eventRulesOf } from "../wiring/fold-configuration.js";

const WAYS = ["last", "time", "items", "users"] as const;
type Way = (typeof WAYS)[number];

interface SplitOptions extends CommonOptions, EventFileFlags {
  readonly from?: string;
  readonly input?: string;
  readonly share: number;
  readonly at?: EpochMs;
  readonly seed: number;
  readonly out: string;
  readonly json?: boolean;
}

const ABOUT = `Makes the two files that train and evaluate take. A model must be trained on train.txt.gz of the split, not on all
that there is: it would be asked for what it has seen.

  last    each user's newest item is test (needs --from)
  time    what is found from a time on is test: --at, or the newest --share of the events (needs --from)
  items   --share of each user's items is test, at random
  users   --share of the users is test, with all they have: evaluate --cold asks for them after their first events`;

export function addSplit(program: Command, terminal: Terminal): void {
  const command = addCommonOptions(
    program.command("split").description("what people did, parted into what a model is trained on and what it is to find"),
  )
    .addHelpText("after", `\n${ABOUT}`)
    .argument("<way>", `one of ${WAYS.join(", ")}`, choiceFlag(...WAYS))
    .option("--from <file>", "events with times: csv, tsv or ndjson, gzipped or not")
    .option("--input <file>", "histories without times: `user item item ...` a line, gzipped or not");
  addEventFileOptions(command)
    .option("--share <number>", "that is test", numberFlag(0.0001, 0.9999), 0.2)
    .option("--at <time>", "of `time`: RFC 3339 or epoch milliseconds", timeFlag)
    .option("--seed <number>", "of all draws: the same gives the same files", integerFlag(0, 2 ** 32 - 1), 1)
    .requiredOption("--out <directory>", "gets train.txt.gz and test.txt.gz")
    .option("--json", "print the result as JSON")
    .action((way: Way, options: SplitOptions) => split(way, options, terminal));
}

async function split(way: Way, options: SplitOptions, terminal: Terminal): Promise<void> {
  const { from, input, out } = options;
  if ((from === undefined) === (input === undefined)) throw new KindredError("USAGE", "one of --from and --input is needed");
  if (input !== undefined && (way === "last" || way === "time"))
    throw new KindredError("USAGE", `${way} goes by times, which histories lack: it needs --from`);
  if (options.at !== undefined && way !== "time") throw new KindredError("USAGE", `--at is a time to split at, which ${way} has none of`);
  const read = from === undefined ? undefined : await readEvents(from, options, terminal);
  const { train, test } = await splitOf(way, options, read?.events);
  if (train.rows.length === 0 || test.rows.length === 0)
    throw new KindredError("INVALID_ARGUMENT", `nothing is left for ${train.rows.length === 0 ? "train" : "test"}`, from ?? input);
  const files = [join(out, "train.txt.gz"), join(out, "test.txt.gz")] as const;
  await mkdir(out, { recursive: true }).catch((cause: Error) => {
    throw new KindredError("STORAGE_FAILED", `the directory can't be made: ${cause.message}`, out, { cause });
  });
  await writeHistories(files[0], train);
  await writeHistories(files[1], test);
  const sizes = (of: Split["train"]) => ({ users: of.users.length, interactions: of.rows.length });
  const result = {
    train: { file: files[0], ...sizes(train) },
    test: { file: files[1], ...sizes(test) },
    ...(read && { rejected: read.rejected, spaced: read.spaced, disliked: read.disliked }),
  };
  const line = ({ file, users, interactions }: (typeof result)["train"]): string =>
    `${file}: ${users.toLocaleString("en-US")} users, ${interactions.toLocaleString("en-US")} interactions`;
  printResult(terminal, options, result, `${line(result.train)}\n${line(result.test)}`);
  const left = read && [
    ...(read.rejected > 0 ? [`${read.rejected} lines that are no events`] : []),
    ...(read.spaced > 0 ? [`${read.spaced} events of ids with a space, which parts ids in these files`] : []),
  ];
  if (left && left.length > 0) terminal.stderr.write(`split: left out ${left.join(", and ")}\n`);
}

interface EventsOfFile {
  readonly events: readonly SplitEvent[];
  /** Lines that are no event. */
  readonly rejected: number;
  /** Events of an id with a space, which parts ids in a split file. */
  readonly spaced: number;
  /** Events that say that somebody did not like something: nothing to be foretold. */
  readonly disliked: number;
}

/** @throws KindredError USAGE, FILE_FORMAT, INVALID_ARGUMENT (nothing in it is an event) */
async function readEvents(path: string, options: SplitOptions, terminal: Terminal): Promise<EventsOfFile> {
  const config = configurationOf(options, terminal);
  const { actions } = config.fold;
  const file = { path, format: options.format, ...eventRowOptions(options), rules: eventRulesOf(config)() };
  const progress = new Progress({ label: "split", unit: "events", stream: process.stderr });
  const events: SplitEvent[] = [];
  let [spaced, disliked] = [0, 0];
  const take = ({ user, item, ts, action }: BehaviourEvent): void => {
    if (!isWritable(user) || !isWritable(item)) spaced++;
    else if ((actions[action] ?? 0) <= 0) disliked++;
    else events.push({ user, item, ts });
  };
  const rejected = await untilStopped((signal) =>
    readEventFile(file, { signal, onProgress: (done, share) => progress.update(done, share), onRejected: () => undefined }, take),
  ).finally(() => progress.stop());
  if (events.length === 0)
    throw new KindredError(
      "INVALID_ARGUMENT",
      `none of the lines is an event that tells a taste (${rejected} are none at all, ${spaced} have an id with a space)`,
      path,
    );
  return { events, rejected, spaced, disliked };
}

async function splitOf(way: Way, { input, share, at, seed }: SplitOptions, events: EventsOfFile["events"] | undefined): Promise<Split> {
  if (events !== undefined && way === "last") return leaveLastOut(events);
  if (events !== undefined && way === "time") return splitAtTime(events, at ?? cutLeaving(events, share));
  const histories = events === undefined ? await readHistories(input as string) : historiesInTime(events);
  if (way === "items") return holdOut(histories, share, seed);
  return holdOutUsers(histories, share, seed, events === undefined ? "shuffled" : "as it is");
}
