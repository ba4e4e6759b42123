import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { drift, type Gate, gate, type NewestParted, partNewest } from "../../models/evaluation/retraining.js";
import { type LoadedModel, loadModel } from "../../models/model-folder/model-folder.js";
import { type AnyKind, MODEL_KINDS } from "../../models/training/model-kinds.js";
import { MAX_THREADS } from "../../models/training/model-kind.js";
import { trainingDataOf } from "../../models/training-set/training-set.js";
import type { Config } from "../../schemas/config.js";
import { KindredError } from "../../schemas/errors.js";
import type { TrainingSet } from "../../schemas/model.js";
import { MAX_GENERATIONS } from "../../schemas/row.js";
import type { Terminal } from "../command-frame.js";
import { addClientOptions, type ClientOptions, configurationOf, integerFlag, printResult, serverOf } from "../command-options.js";
import { type GenerationsTarget, untilAnswering, withGenerations } from "../generations-target.js";
import { Progress } from "../progress.js";
import { untilStopped } from "../stop-signals.js";
import { defaultThreads } from "../training/threads.js";
import { trainShown } from "../training/train-shown.js";
import { setOfState } from "../training/training-source.js";
import { modelStoreOf } from "../wiring/item-vectors.js";
import type { ServerClient } from "../wiring/server-client.js";

type RetrainOptions = ClientOptions & {
  readonly drift?: string;
  readonly tolerance?: string;
  readonly kind?: string;
  readonly dims?: string;
  readonly threads: number;
  readonly seed: number;
  readonly users: number;
  readonly dryRun?: boolean;
};

/** What came of it. */
interface Outcome {
  /** The generation that answers now. */
  readonly published: number | null;
  readonly why: string;
  /** Share of the new interactions with items that the served model does not know. */
  readonly drift: number | null;
  readonly gate?: Gate;
}

/** What is served now. */
interface Served {
  readonly generation: number;
  /** Undefined where it is none that was trained. */
  readonly model: LoadedModel | undefined;
}

const ABOUT = `A model is trained on what the state holds, but for the newest interactions. It is published if it finds
those as well as what answers now (recall@20 of u2i): the model served, which does not know what came after its own training, or
popularity where none is served that was trained. Where three generations are live already, the oldest of those that neither answer nor
answered before is given up. retrain.everyHours does this by itself; the section \`retrain\` of the configuration has the defaults.`;

export function addRetrain(program: Command, terminal: Terminal): void {
  addClientOptions(program.command("retrain").description("train on the state, judge by the newest events, publish what is not worse"))
    .addHelpText("after", `\n${ABOUT}`)
    .option("--kind <kind>", `${MODEL_KINDS.map(({ kind }) => kind).join(", ")}`)
    .option("--dims <number>", "dimensions of the model")
    .option("--drift <share>", "do nothing unless so much of what is new is with items that the served model does not know")
    .option("--tolerance <share>", "how much less than the served model's recall is let pass, as a share of it")
    .option("--threads <number>", "of the training (default: all cores)", integerFlag(1, MAX_THREADS), defaultThreads())
    .option("--seed <number>", "of all random choices", integerFlag(0, 2 ** 32 - 1), 1)
    .option("--users <number>", "who are asked at most, drawn by the seed", integerFlag(1, 1e9), 5_000)
    .option("--dry-run", "judge, and publish nothing")
    .action((options: RetrainOptions) => untilStopped((signal) => retrain(options, terminal, signal)));
}

async function retrain(options: RetrainOptions, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const config = configurationOf(options, terminal, {
    "retrain.kind": { flag: "--kind", value: options.kind },
    "retrain.dims": { flag: "--dims", value: options.dims },
    "retrain.drift": { flag: "--drift", value: options.drift },
    "retrain.tolerance": { flag: "--tolerance", value: options.tolerance },
  });
  const server = await serverOf(options, config, signal);
  const outcome = await new Retraining(config, options, server, signal).run();
  const figures = outcome.gate
    ? `, ${outcome.gate.metric} ${outcome.gate.candidate.toFixed(4)} against ${outcome.gate.base.toFixed(4)} of ${outcome.gate.against} (${outcome.gate.users} users)`
    : "";
  const what = outcome.published === null ? "nothing was published" : `generation ${outcome.published} answers`;
  printResult(terminal, options, outcome, `${what}: ${outcome.why}${figures}`);
}

class Retraining {
  constructor(
    private readonly config: Config,
    private readonly options: RetrainOptions,
    private readonly server: ServerClient | undefined,
    private readonly signal: AbortSignal,
  ) {}

  async run(): Promise<Outcome> {
    const { share, drift: least } = this.config.retrain;
    const served = await this.onGenerations((target) => this.served(target));
    const set = await this.readState();
    const after = served.model?.manifest.data.newest;
    const parted = partNewest(set, { share, ...(after !== undefined && { after }) });
    const moved = served.model ? drift(set, served.model.model, parted.from) : null;
    if (moved !== null && moved < least)
      return { published: null, why: `${(100 * moved).toFixed(1)} % of what is new is with unknown items`, drift: moved };
    if (isTrainedOn(served.model, parted.known, this.config))
      return { published: null, why: "what answers now was trained on the same", drift: moved };
    // Not below `models`: what lies there is published.
    const folder = resolve(this.config.dataDir, "retrained");
    const { model } = await this.train(parted, folder);
    const judged = await gate(model, served.model?.model, parted, {
      tolerance: this.config.retrain.tolerance,
      users: this.options.users,
      leastUsers: this.config.retrain.leastUsers,
      seed: this.options.seed,
      signal: this.signal,
    });
    const result = { drift: moved, gate: judged };
    if (!judged.passed) return { ...result, published: null, why: `it finds less than what answers now: the model lies in ${folder}` };
    if (this.options.dryRun === true) return { ...result, published: null, why: `only tried: the model lies in ${folder}` };
    const published = await this.onGenerations((target) => this.publish(target, folder));
    await rm(folder, { recursive: true, force: true });
    return { ...result, published, why: "it finds at least as much as what answered before" };
  }

  private onGenerations<T>(work: (target: GenerationsTarget) => Promise<T>): Promise<T> {
    return withGenerations(this.config, this.server, this.signal, work);
  }

  private async served(target: GenerationsTarget): Promise<Served> {
    const { active, generations } = await target.list();
    const folder = generations.find(({ id }) => id === active)?.folder ?? null;
    if (folder === null) return { generation: active, model: undefined };
    return { generation: active, model: await loadModel(join(modelStoreOf(this.config).directory, folder)) };
  }

  private async readState(): Promise<TrainingSet> {
    const progress = new Progress({ label: "read", unit: "users", stream: process.stderr });
    const reading = { signal: this.signal, onProgress: (done: number) => progress.update(done), onRejected: () => undefined };
    return setOfState(this.config, this.server, reading)
      .then(({ set }) => set)
      .finally(() => progress.stop());
  }

  private async train({ known }: NewestParted, folder: string): Promise<LoadedModel> {
    const { dims, kind: name } = this.config.retrain;
    const kind = MODEL_KINDS.find((one) => one.kind === name) as AnyKind;
    const { threads, seed } = this.options;
    const { done } = await trainShown(
      folder,
      kind,
      known,
      { dims, seed, threads },
      // What the state holds has changed since: there is nothing to go on from.
      { signal: this.signal, restart: true },
    );
    if (!done) throw new KindredError("NOT_READY", "stopped before the end; nothing was published", folder);
    return loadModel(folder);
  }

  private async publish(target: GenerationsTarget, folder: string): Promise<number> {
    const { generations, active, previous, next } = await target.list();
    const spare = generations.map(({ id }) => id).filter((id) => id !== active && id !== previous && id !== next);
    if (generations.length >= MAX_GENERATIONS && spare[0] !== undefined) await target.retire(spare[0]);
    const id = await target.publish(folder);
    await untilAnswering(target, id, this.signal);
    return id;
  }
}

function isTrainedOn(served: LoadedModel | undefined, known: TrainingSet, { retrain: { kind, dims } }: Config): boolean {
  const { manifest } = served ?? {};
  return manifest?.kind === kind && manifest.dims === dims && manifest.data.fingerprint === trainingDataOf(known).fingerprint;
}

