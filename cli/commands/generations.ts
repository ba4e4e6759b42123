import { resolve } from "node:path";
import type { Command } from "commander";
import { KindredError } from "../../schemas/errors.js";
import type { Terminal } from "../command-frame.js";
import { addClientOptions, type ClientOptions, configurationOf, integerFlag, printResult, serverOf } from "../command-options.js";
import { untilStopped } from "../stop-signals.js";
import { publishShown } from "../training/publish-shown.js";
import { type GenerationsBody, type GenerationsTarget, withGenerations } from "../wiring/generations-target.js";

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
    const answer = options.wait || !online ? await publishShown(target, id, signal) : await target.list();
    if (options.wait && answer.active !== id)
      throw new KindredError(
        "GENERATION_NOT_READY",
        `generation ${id} is live, and ${answer.active} answers: kindred generations activate ${id}`,
      );
    const is = answer.generations.find((one) => one.id === id);
    printResult(
      terminal,
      options,
      { id, generations: answer },
      `generation ${id} is ${is?.state ?? "not live any more"}\n${table(answer)}`,
    );
  });
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
  work: (target: GenerationsTarget, signal: AbortSignal, online: boolean) => Promise<void>,
): Promise<void> {
  await untilStopped(async (signal) => {
    const config = configurationOf(options, terminal);
    const server = await serverOf(options, config, signal);
    await withGenerations(config, server, signal, (target) => work(target, signal, server !== undefined));
  });
}

const print = (answer: GenerationsBody, options: ClientOptions, terminal: Terminal): void =>
  printResult(terminal, options, answer, table(answer));

function table({ active, generations }: GenerationsBody): string {
  return generations
    .map(({ id, kind, dims, state, pooled, rows, items, publishedAt }) => {
      const share = state === "pooling" ? ` ${Math.floor(pooled * 100)} %` : "";
      const when = publishedAt === null ? "" : `, published ${publishedAt}`;
      return `${id === active ? "*" : " "} ${id}  ${kind}, ${dims} dimensions, ${state}${share}: ${rows} users, ${items} items${when}`;
    })
    .join("\n");
}
