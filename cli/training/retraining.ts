import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { drift, type Gate, gate, type NewestParted, partNewest } from "../../models/evaluation/retraining.js";
import { type LoadedModel, loadModel } from "../../models/model-folder/model-folder.js";
import { type AnyKind, MODEL_KINDS } from "../../models/training/model-kinds.js";
import { trainingDataOf } from "../../models/training-set/training-set.js";
import type { Config } from "../../schemas/config.js";
import { KindredError } from "../../schemas/errors.js";
import type { TrainingSet } from "../../schemas/model.js";
import { MAX_GENERATIONS } from "../../schemas/row.js";
import { Progress } from "../progress.js";
import { type GenerationsTarget, withGenerations } from "../wiring/generations-target.js";
import { modelStoreOf } from "../wiring/item-vectors.js";
import type { ServerClient } from "../wiring/server-client.js";
import { publishShown } from "./publish-shown.js";
import { trainShown } from "./train-shown.js";
import { setOfState } from "./training-source.js";

/** What the configuration does not say. */
export interface RetrainingOptions {
  readonly threads: number;
  readonly seed: number;
  /** Who are asked at most. */
  readonly users: number;
  /** Judges, and publishes nothing. */
  readonly dryRun?: boolean;
}

/** What came of it. */
export interface RetrainingOutcome {
  /** The generation that answers now. */
  readonly published: number | null;
  readonly why: string;
  /** The generation that was given up for it. */
  readonly retired?: number;
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

/** Trains on what the state holds, judges by the newest, publishes what is not worse. @throws KindredError INVALID_ARGUMENT, NOT_READY (stopped), ... */
export function retrainOnState(
  config: Config,
  options: RetrainingOptions,
  server: ServerClient | undefined,
  signal: AbortSignal,
): Promise<RetrainingOutcome> {
  return new Retraining(config, options, server, signal).run();
}

/** A model that is to be trained into a folder, and what it is held against. */
interface Candidate {
  readonly parted: NewestParted;
  readonly served: Served;
  readonly moved: number | null;
  readonly folder: string;
}

class Retraining {
  constructor(
    private readonly config: Config,
    private readonly options: RetrainingOptions,
    private readonly server: ServerClient | undefined,
    private readonly signal: AbortSignal,
  ) {}

  async run(): Promise<RetrainingOutcome> {
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
    // Not below `models`: what lies there is published. One for each run: two at once must not publish what the other has judged.
    const folder = resolve(this.config.dataDir, "retrained", randomBytes(6).toString("hex"));
    try {
      return await this.judged({ parted, served, moved, folder });
    } finally {
      if (this.options.dryRun !== true) await rm(folder, { recursive: true, force: true });
    }
  }

  private async judged({ parted, served, moved, folder }: Candidate): Promise<RetrainingOutcome> {
    const { model } = await this.train(parted, folder);
    const judged = await gate(model, served.model?.model, parted, {
      tolerance: this.config.retrain.tolerance,
      users: this.options.users,
      leastUsers: this.config.retrain.leastUsers,
      seed: this.options.seed,
      signal: this.signal,
    });
    const result = { drift: moved, gate: judged };
    if (!judged.passed) return { ...result, published: null, why: "it finds less than what answers now" };
    if (this.options.dryRun === true) return { ...result, published: null, why: `only tried: the model lies in ${folder}` };
    const published = await this.onGenerations((target) => this.publish(target, folder));
    return { ...result, ...published, why: "it finds at least as much as what answered before" };
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

  private async publish(target: GenerationsTarget, folder: string): Promise<Pick<RetrainingOutcome, "published" | "retired">> {
    const { generations, active, previous, next } = await target.list();
    const [spare] = generations.map(({ id }) => id).filter((id) => id !== active && id !== previous && id !== next);
    const gives = generations.length >= MAX_GENERATIONS && spare !== undefined;
    if (gives) await target.retire(spare);
    const published = await target.publish(folder);
    await publishShown(target, published, this.signal);
    return { published, ...(gives && { retired: spare }) };
  }
}

function isTrainedOn(served: LoadedModel | undefined, known: TrainingSet, { retrain: { kind, dims } }: Config): boolean {
  const { manifest } = served ?? {};
  return manifest?.kind === kind && manifest.dims === dims && manifest.data.fingerprint === trainingDataOf(known).fingerprint;
}
