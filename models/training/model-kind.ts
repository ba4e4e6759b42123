import { KindredError } from "../../schemas/errors.js";
import type { ItemMatrix, ItemModel, LossPoint, TrainingSet } from "../../schemas/model.js";

export type SettingValue = number | string | boolean;

/** What a setting may be: a number, one of some words, a text that the kind itself reads, yes or no. */
export type SettingRange = readonly [least: number, most: number, integer: boolean] | readonly string[] | "text" | "boolean";

/** What every kind has. */
export type CommonSettings = {
  readonly dims: number;
  /** u32 */
  readonly seed: number;
  /** With one, the same data and settings give the same model bit for bit. */
  readonly threads: number;
};

/** More threads would only wait for each other. */
export const MAX_THREADS = 64;

/** How far a training is. */
export interface TrainingProgress {
  /** Of the whole training, 0 to 1. */
  readonly share: number;
  readonly epoch: number;
  readonly pairs: number;
  /** Mean loss of a pair since the last report; undefined where nothing was measured. */
  readonly loss: number | undefined;
  readonly cpuSeconds: number;
}

/** All that a training goes on from, with the same data and settings. */
export interface TrainingState {
  /** By a name of letters and digits. */
  readonly tables: Readonly<Record<string, ItemMatrix>>;
  /** Finite numbers. */
  readonly progress: Readonly<Record<string, number | readonly number[]>>;
}

export interface TrainingOptions {
  /** Stops the training; what it has is in the result. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TrainingProgress) => void;
  /** Of an earlier training that was stopped. */
  readonly from?: TrainingState;
  /** Gets the state every so often; training waits until it is stored. */
  readonly onCheckpoint?: (state: TrainingState) => Promise<void>;
  readonly checkpointEveryMs?: number;
  readonly reportEveryMs?: number;
  /** Without the processor's vector instructions, for tests. */
  readonly plain?: boolean;
}

export interface Trained {
  /** False: stopped before the end. */
  readonly done: boolean;
  readonly model: ItemModel;
  readonly state: TrainingState;
  /** avx2 or plain. */
  readonly kernel: string;
  /** The curve of the training so far; it depends on data, settings and seed only. */
  readonly losses: readonly LossPoint[];
  /** Of the whole training: pairs learned from, their mean loss, and whatever else the manifest is to say. No times. */
  readonly metrics: { readonly pairs: number; readonly loss: number } & Readonly<Record<string, number>>;
  readonly cpuSeconds: number;
}

/**
 * One kind of model: its settings as tables, of which flags and --help are made, and its training. `Settings` is a type of an object with
 * `SettingValue`s (not an interface: those have no index signature).
 */
export interface ModelKind<Settings extends CommonSettings> {
  readonly kind: "item2vec" | "metapath2vec" | "graph";
  /** What it is, for --help. */
  readonly summary: string;
  readonly defaults: Settings;
  readonly ranges: { readonly [Name in keyof Settings]: SettingRange };
  readonly about: { readonly [Name in keyof Settings]: string };
  /** @throws KindredError INVALID_ARGUMENT: data that it can't learn from, or the training diverges */
  train(set: TrainingSet, settings: Settings, options?: TrainingOptions): Promise<Trained>;
}

/** The defaults with these over them, checked. @throws KindredError INVALID_ARGUMENT naming the setting */
export function settingsOf<Settings extends CommonSettings>(
  { kind, defaults, ranges }: Pick<ModelKind<Settings>, "kind" | "defaults" | "ranges">,
  given: Partial<Settings> = {},
): Settings {
  const settings: Settings = { ...defaults, ...given };
  for (const [name, value] of Object.entries(settings) as [string, unknown][]) {
    if (!Object.hasOwn(ranges, name)) throw new KindredError("INVALID_ARGUMENT", `${name} is no setting of ${kind}`, name);
    const wrong = wrongSetting(value, ranges[name as keyof Settings]);
    if (wrong !== undefined) throw new KindredError("INVALID_ARGUMENT", `${name} is ${wrong}`, name);
  }
  return Object.freeze(settings);
}

/** What it must be; undefined: it is. */
function wrongSetting(value: unknown, range: SettingRange): string | undefined {
  if (range === "text") return typeof value === "string" ? undefined : "a text";
  if (range === "boolean") return typeof value === "boolean" ? undefined : "true or false";
  if (!isNumberRange(range)) return range.includes(value as string) ? undefined : `one of ${range.join(", ")}`;
  const [least, most, integer] = range;
  const right = typeof value === "number" && value >= least && value <= most && (!integer || Number.isInteger(value));
  return right ? undefined : `${integer ? "an integer" : "a number"} from ${least} to ${most}`;
}

export function isNumberRange(range: SettingRange): range is readonly [number, number, boolean] {
  return typeof range[0] === "number";
}
