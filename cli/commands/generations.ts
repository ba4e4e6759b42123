import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { Static } from "typebox";
import { generationsAnswer } from "../../api/admin-answers.js";
import { KindredError } from "../../schemas/errors.js";
import type { GenerationsAnswer, PublishedAnswer } from "../../schemas/http.js";
import type { Generation } from "../../schemas/ids.js";
import type { Generations } from "../../schemas/ports/generations.js";
import type { Terminal } from "../command-frame.js";
import { addClientOptions, type ClientOptions, configurationOf, integerFlag, printResult, serverOf } from "../command-options.js";
import { Progress } from "../progress.js";
import type { ServerClient } from "../server-client.js";
import { untilStopped } from "../stop-signals.js";
import { withUpdater } from "../wiring/offline.js";

type Answer = Static<typeof GenerationsAnswer>;

/** What a command does with generations, through the server or in the directory itself. */
interface Target {
  list(): Promise<Answer>;
  publish(folder: string): Promise<number>;
  activate(id: number): Promise<Answer>;
  retire(id: number): Promise<Answer>;
}

const POLL_MS = 250;

export function addGenerations(program: Command, terminal: Terminal): void {
  addClientOptions(
    program
      .command("publish")
      .description("make a model the next generation: users are pooled anew while the stream goes on, then it answers")
      .argument("<model>", "a model folder, which is copied")
      .option("--wait", "until it answers; without a server that is always waited for"),
  ).action((model: string, options: ClientOptions & { wait?: boolean }) => publish(model, options, terminal));
  addClientOptions(program.command("rollback").description("answer with the generation that answered before, in one step")).action(
    (options: ClientOptions) => rollback(options, terminal),
  );
  const generations = program.command("generations").description("generations that are live, and which answers");
  addClientOptions(generations.command("list", { isDefault: true }).description("what is live")).action((options: ClientOptions) =>
    withTarget(options, terminal, async (target) => print(await target.list(), options, terminal)),
  );
  const number = integerFlag(0, Number.MAX_SAFE_INTEGER);
  const change = (name: "activate" | "retire", about: string): void => {
    addClientOptions(generations.command(name).description(about).argument("<number>", "of the generation", number)).action(
      (id: number, options: ClientOptions) =>
        withTarget(options, terminal, async (target) => print(await target[name](id), options, terminal)),
    );
  };
  change("activate", "answer with this one from now on");
  change("retire", "give up one that does not answer");
}

async function publish(model: string, options: ClientOptions & { wait?: boolean }, terminal: Terminal): Promise<void> {
  await withTarget(options, terminal, async (target, signal, online) => {
    const id = await target.publish(resolve(model));
    const answer = options.wait || !online ? await answering(target, id, signal) : await target.list();
    const is = answer.generations.find((one) => one.id === id);
    printResult(
      terminal,
      options,
      { id, generations: answer },
      `generation ${id} is ${is?.state ?? "not live any more"}\n${table(answer)}`,
    );
  });
}

/** Resolves once it is not to become active by itself any more: it is, or somebody wants otherwise. */
async function answering(target: Target, id: number, signal: AbortSignal): Promise<Answer> {
  const progress = new Progress({ label: "publish", unit: "users", stream: process.stderr });
  try {
    for (;;) {
      const answer = await target.list();
      const { rows = 0, pooled = 1, state } = answer.generations.find((one) => one.id === id) ?? {};
      if (answer.next !== id) return answer;
      progress.update(rows, pooled, state);
      await sleep(POLL_MS, undefined, { signal });
    }
  } finally {
    progress.stop();
  }
}

async function rollback(options: ClientOptions, terminal: Terminal): Promise<void> {
  await withTarget(options, terminal, async (target) => {
    const { active, previous } = await target.list();
    if (previous === null)
      throw new KindredError("UNKNOWN_GENERATION", `generation ${active} answers, and none that is live answered before it`);
    print(await target.activate(previous), options, terminal);
  });
}

async function withTarget(
  options: ClientOptions,
  terminal: Terminal,
  work: (target: Target, signal: AbortSignal, online: boolean) => Promise<void>,
): Promise<void> {
  await untilStopped(async (signal) => {
    const config = configurationOf(options, terminal);
    const server = await serverOf(options, config, signal);
    if (server) return work(overHttp(server), signal, true);
    return withUpdater(config, { signal, activate: true }, ({ generations }) => work(here(generations), signal, false));
  });
}

const overHttp = (server: ServerClient): Target => ({
  list: () => server.get<Answer>("/v1/generations"),
  publish: async (folder) => (await server.post<Static<typeof PublishedAnswer>>("/v1/generations", { folder })).id,
  activate: (id) => server.post<Answer>(`/v1/generations/${id}/activate`, {}),
  retire: (id) => server.delete<Answer>(`/v1/generations/${id}`),
});

const here = (generations: Generations): Target => ({
  list: async () => generationsAnswer(await generations.list()),
  publish: (folder) => generations.publish(folder),
  activate: async (id) => generationsAnswer(await generations.activate(id as Generation)),
  retire: async (id) => generationsAnswer(await generations.retire(id as Generation)),
});

const print = (answer: Answer, options: ClientOptions, terminal: Terminal): void => printResult(terminal, options, answer, table(answer));

function table({ active, generations }: Answer): string {
  return generations
    .map(({ id, kind, dims, state, pooled, rows, items, publishedAt }) => {
      const share = state === "pooling" ? ` ${Math.floor(pooled * 100)} %` : "";
      const when = publishedAt === null ? "" : `, published ${publishedAt}`;
      return `${id === active ? "*" : " "} ${id}  ${kind}, ${dims} dimensions, ${state}${share}: ${rows} users, ${items} items${when}`;
    })
    .join("\n");
}
