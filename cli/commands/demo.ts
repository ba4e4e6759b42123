import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { BehaviourEvent } from "../../schemas/event.js";
import { generateTown, type Town } from "../../town/town.js";
import { townEvents, townHistory } from "../../town/town-events.js";
import type { Terminal } from "../command-frame.js";
import { integerFlag, numberFlag } from "../command-options.js";
import { untilStopped } from "../stop-signals.js";
import { type RunningServer, startServer } from "../wiring/http-server.js";
import { makeLogger } from "../wiring/logger.js";
import { eventsPerRequest, ServerClient } from "../wiring/server-client.js";
import { addServeOptions, type ServeOptions, serveConfiguration, serveUntilStopped } from "./serve.js";

interface DemoOptions extends ServeOptions {
  readonly listeners: number;
  readonly seed: number;
  readonly eventsPerSecond: number;
  readonly history: number;
}

interface TownOptions extends DemoOptions {
  /** Most events posted together. */
  readonly atOnce: number;
}

const DAY_MS = 86_400_000;
/** The past covers three weeks. */
const HISTORY_SPAN_MS = 21 * DAY_MS;
const ITEMS_A_REQUEST = 5_000;
/** Live events are posted so often. */
const TICK_MS = 100;

export function addDemo(program: Command, terminal: Terminal): void {
  addServeOptions(program.command("demo").description("serve, with a made-up music town as a live producer"))
    .option("--listeners <n>", "people in the town", integerFlag(2, 1_000_000), 2_000)
    .option("--seed <s>", "another seed, another town", integerFlag(0, 2 ** 32 - 1), 1)
    .option("--events-per-second <r>", "how much they do", numberFlag(0.001, 100_000), 50)
    .option("--history <n>", "events of each before it starts", integerFlag(0, 10_000), 30)
    .action((options: DemoOptions) => demo(options, terminal));
}

async function demo(options: DemoOptions, terminal: Terminal): Promise<void> {
  const config = serveConfiguration(options, terminal);
  const log = makeLogger(config);
  const town = generateTown({ seed: options.seed, listeners: options.listeners });
  await untilStopped(async (signal) => {
    const server = await startServer(config, log, options.role);
    await serveUntilStopped(server, signal, () =>
      live(server, town, { ...options, atOnce: eventsPerRequest(config) }, terminal, signal).catch((error: unknown) => {
        // A request that the stop cut off is no failure.
        if (!signal.aborted) throw error;
      }),
    );
  });
}

async function live(server: RunningServer, town: Town, options: TownOptions, terminal: Terminal, signal: AbortSignal): Promise<void> {
  await server.ready;
  const client = new ServerClient(server.url, signal);
  const say = (text: string): unknown => terminal.stdout.write(`${text}\n`);
  const { rows } = await client.get<{ rows: number }>("/v1/state/hash");
  // A directory from an earlier demo has its past already.
  if (rows === 0) {
    say(
      `kindred is at ${server.url}; a town of ${town.listeners.length} listeners and ${town.items.length} songs, live streams and podcasts moves in ...`,
    );
    await moveIn(client, town, options, signal);
  }
  say(welcome(server.url, town, options));
  await liveOn(client, town, options, signal);
}

/** Side information first, so that the first fingerprints are made of it; then the past. */
async function moveIn(client: ServerClient, town: Town, { seed, history, atOnce }: TownOptions, signal: AbortSignal): Promise<void> {
  for (let at = 0; at < town.items.length; at += ITEMS_A_REQUEST)
    await client.postPatiently("/v1/items", { items: town.items.slice(at, at + ITEMS_A_REQUEST) });
  let answer = { position: "k1" };
  let batch: BehaviourEvent[] = [];
  const send = async (): Promise<void> => {
    if (batch.length > 0) answer = await client.postPatiently("/v1/events", { events: batch });
    batch = [];
  };
  for (const event of townHistory(town, { seed, endTs: Date.now(), spanMs: HISTORY_SPAN_MS, eventsEach: history })) {
    batch.push(event);
    if (batch.length < atOnce) continue;
    signal.throwIfAborted();
    await send();
  }
  await send();
  await client.get(`/v1/recall/u2u?user=${town.listeners[0]?.user}&after=${answer.position}&waitMs=10000`);
}

/** Posts what happens until it is stopped. A server that asks for patience gets it: the town does not catch up afterwards. */
async function liveOn(
  client: ServerClient,
  town: Town,
  { seed, eventsPerSecond, atOnce }: TownOptions,
  signal: AbortSignal,
): Promise<void> {
  const startTs = Date.now();
  const events = townEvents(town, { seed, startTs, eventsPerSecond });
  let next = events.next().value;
  while (!signal.aborted) {
    const due: BehaviourEvent[] = [];
    for (const now = Date.now(); next.ts <= now && due.length < atOnce; next = events.next().value) due.push(next);
    if (due.length > 0) await client.postPatiently("/v1/events", { events: due });
    else await sleep(TICK_MS, undefined, { signal });
  }
}

/** Three lines to try, with ids that exist. */
export function welcome(url: string, town: Town, { eventsPerSecond }: Pick<DemoOptions, "eventsPerSecond">): string {
  const someone = town.listeners[0];
  const genre = someone?.tastes[0]?.genre ?? 0;
  const song = town.offerings.tables.music[genre]?.entries[0] ?? town.items[0];
  const event = `{"events":[{"user":"you","item":"${song?.item}","action":"like","ts":"'$(date -u +%FT%TZ)'"}]}`;
  return [
    "",
    `ready: ${eventsPerSecond} events a second go on coming in. Three lines to try:`,
    "",
    `# you like "${song?.title}" by ${song?.creators?.join(", ")}; the answer has a position`,
    `POS=$(curl -s ${url}/v1/events -H 'content-type: application/json' -d '${event}' | tee /dev/stderr | sed 's/.*"position":"\\([^"]*\\)".*/\\1/')`,
    "",
    "# who is like you? with after= the answer includes what you just did",
    `curl -s "${url}/v1/recall/u2u?user=you&limit=5&after=$POS"`,
    "",
    `# what ${someone?.user} might like, and why`,
    `curl -s '${url}/v1/recall/u2u2i?user=${someone?.user}&limit=5&explain=true'`,
    "",
    `docs: ${url}/docs   metrics: ${url}/metrics   stop: Ctrl-C`,
  ].join("\n");
}
