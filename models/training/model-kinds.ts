import { GRAPH } from "./graph.js";
import { ITEM2VEC } from "./item2vec.js";
import { METAPATH2VEC } from "./metapath2vec.js";
import type { CommonSettings, ModelKind, SettingValue } from "./model-kind.js";

/** A kind whose settings are known by their table only. */
export type AnyKind = ModelKind<CommonSettings & Readonly<Record<string, SettingValue>>>;

/** Every kind of model that can be trained. */
export const MODEL_KINDS: readonly AnyKind[] = [ITEM2VEC, METAPATH2VEC, GRAPH].map((kind) => kind as unknown as AnyKind);
