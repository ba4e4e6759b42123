import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import type { Static } from "typebox";
import { deadLettersAnswer, replayAnswer } from "../../api/admin-answers.js";
import { KindredError } from "../../schemas/errors.js";
import type { DeadLettersAnswer, ReplayAnswer } from "../../schemas/http.js";
import type { DeadLetters } from "../../schemas/ports/admin.js";
import type { Terminal } from "../command-frame.js";
import { addClientOptions, type ClientOptions, configurationOf, integerFlag, printResult, serverOf } from "../command-options.js";
import { printable } from "../printable.js";
import { untilStopped } from "../stop-signals.js";
import { withTopics } from "../wiring/kafka/kafka-topics.js";
import { withUpdater } from "../wiring/offline.js";
import type { Updater } from "../wiring/updater.js";

type Letters = Static<typeof DeadLettersAnswer>;
type Replayed = Static<typeof ReplayAnswer>;

interface ListOptions extends ClientOptions {
  readonly after?: number;
  readonly limit: number;
}
interface ReplayOptions extends ClientOptions {
  readonly repairs?: string;
}
interface Repair {
  readonly number: number;
  readonly event: unknown;
}

/** Repairs that one request takes. */
const REPAIRS_A_REQUEST = 1_000;

export function addDeadLetters(program: Command, terminal: Terminal): void {
  const letters = program.command("dead-letters").description("what could not be folded and why; back in after a repair");
  addClientOptions(letters.command("list").description("the letters, oldest first"))
    .option("--after <number>", "only those with a higher number", integerFlag(0, Number.MAX_SAFE_INTEGER))
    .option("--limit <n>", "most letters listed", integerFlag(1, 1_000), 100)
    .action((options: ListOptions) => list(options, terminal));
  addClientOptions(letters.command("replay").description("try all again as they are, or repaired ones"))
    .option("--repairs <file>", "a line of JSON a letter: { number, event }; only these are tried")
    .action((options: ReplayOptions) => replay(options, terminal));
}

async function list(options: ListOptions, terminal: Terminal): Promise<void> {
  await untilStopped(async (signal) => {
    const config = configurationOf(options, terminal);
    const server = await serverOf(options, config, signal);
    const { after, limit } = options;
    const query = new URLSearchParams({ limit: String(limit), ...(after !== undefined && { after: String(after) }) });
    const listed = async ({ deadLetters }: { readonly deadLetters: DeadLetters }): Promise<Letters> =>
      deadLettersAnswer(await deadLetters.list({ limit, ...(after !== undefined && { after }) }));
    const answer = server
      ? await server.get<Letters>(`/v1/admin/dead-letters?${query}`)
      : await (config.source.kind === "kafka" ? withTopics(config, signal, listed) : withUpdater(config, { signal, index: false }, listed));
    const lines = answer.deadLetters.map(({ number, at, code, origin, message, original }) =>
      [`${number}  ${at}  ${code}  ${origin}: ${message}`, `    ${original}`].map(printable).join("\n"),
    );
    printResult(terminal, options, answer, lines.length === 0 ? "no dead letters" : lines.join("\n"));
  });
}

/** @throws KindredError FILE_LINE, FILE_FORMAT */
async function readRepairs(path: string): Promise<Repair[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new KindredError("FILE_FORMAT", `the repairs cannot be read: ${(cause as Error).message}`, path, { cause });
  }
  return text.split("\n").flatMap((line, i) => {
    if (line.trim() === "") return [];
    try {
      const { number, event } = JSON.parse(line) as Partial<Repair>;
      if (Number.isSafeInteger(number) && event !== undefined) return [{ number: number as number, event }];
    } catch {
      // Not JSON: refused like any other line that is no repair.
    }
    throw new KindredError("FILE_LINE", "a repair is { number, event } in a line of JSON", `${path} line ${i + 1}`);
  });
}

async function replay(options: ReplayOptions, terminal: Terminal): Promise<void> {
  await untilStopped(async (signal) => {
    const config = configurationOf(options, terminal);
    const repairs = options.repairs === undefined ? undefined : await readRepairs(options.repairs);
    const server = await serverOf(options, config, signal);
    const replayed = async ({ deadLetters }: { readonly deadLetters: DeadLetters }): Promise<Replayed> =>
      replayAnswer(await deadLetters.replay(repairs === undefined ? "all" : new Map(repairs.map(({ number, event }) => [number, event]))));
    const folded = async (updater: Updater): Promise<Replayed> => {
      const answer = await replayed(updater);
      await updater.drained(signal);
      return answer;
    };
    const answer = server
      ? await replayOver((body) => server.post<Replayed>("/v1/admin/dead-letters/replay", body), repairs)
      : await (config.source.kind === "kafka" ? withTopics(config, signal, replayed) : withUpdater(config, { signal }, folded));
    printResult(terminal, options, answer, `${answer.replayed} replayed, ${answer.failed} failed again, at ${answer.position}`);
  });
}

async function replayOver(post: (body: unknown) => Promise<Replayed>, repairs: readonly Repair[] | undefined): Promise<Replayed> {
  if (repairs === undefined) return post({ all: true });
  let total: Replayed = { replayed: 0, failed: 0, position: "k1" };
  for (let at = 0; at < repairs.length; at += REPAIRS_A_REQUEST) {
    const { replayed, failed, position } = await post({ repairs: repairs.slice(at, at + REPAIRS_A_REQUEST) });
    total = { replayed: total.replayed + replayed, failed: total.failed + failed, position };
  }
  return total;
}
