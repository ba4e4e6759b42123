import { existsSync, readFileSync } from "node:fs";
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from "yaml";
import type { Config } from "../schemas/config.js";
import { buildConfig, configError, configKeys, type Layer, type Node, nearest, type Problem } from "../schemas/config-validation.js";
import { KindredError } from "../schemas/errors.js";

/** Values of flags by key: `{ "server.port": "7900" }`; texts are read as in the environment. Undefined ones were not given. */
export type FlagValues = Readonly<Record<string, { readonly flag: string; readonly value: string | number | undefined }>>;

export interface ConfigurationSources {
  /** Path of a kindred.yaml; absent: `kindred.yaml` in the working directory, if there is one. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly flags?: FlagValues;
}

const PREFIX = "KINDRED_";
/** Variables that are not keys of the configuration. */
const OTHER_VARIABLES = new Set(["KINDRED_CONFIG"]);

/** `kafka.topics.deadLetters` → `KINDRED_KAFKA__TOPICS__DEAD_LETTERS`. */
export function environmentName(path: readonly string[]): string {
  return PREFIX + path.map((key) => key.replace(/(?<=[a-z0-9])[A-Z]/g, "_$&").toUpperCase()).join("__");
}

/** Line and column of a key in the file, for the message of a wrong value. */
function placeIn(document: Document, lines: LineCounter, path: readonly string[]): string {
  let node: unknown = document.contents;
  let offset = 0;
  for (const key of path) {
    const pair = isMap(node) ? node.items.find((item) => isScalar(item.key) && String(item.key.value) === key) : undefined;
    if (!pair) break;
    offset = isNode(pair.key) ? (pair.key.range?.[0] ?? offset) : offset;
    node = pair.value;
  }
  const { line, col } = lines.linePos(offset);
  return `line ${line} column ${col}`;
}

/** @throws KindredError CONFIG_INVALID with line and column when it is not YAML */
function fileLayer(path: string): Layer {
  const lineCounter = new LineCounter();
  let source: string;
  try {
    source = readFileSync(path, "utf8");
  } catch (error) {
    throw new KindredError("CONFIG_INVALID", `the configuration file cannot be read: ${(error as Error).message}`, path);
  }
  const document = parseDocument(source, { lineCounter, prettyErrors: false });
  const problems: Problem[] = document.errors.map((error) => {
    const { line, col } = lineCounter.linePos(error.pos[0]);
    return { key: "", text: error.message, where: `${path} line ${line} column ${col}` };
  });
  if (problems.length > 0) throw configError(problems);
  return { values: document.toJS(), where: (keys) => `${path} ${placeIn(document, lineCounter, keys)}` };
}

function assign(values: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = values;
  for (const key of path.slice(0, -1)) {
    at[key] ??= {};
    at = at[key] as Record<string, unknown>;
  }
  at[path.at(-1) as string] = value;
}

/** A text as the key's type wants it; what cannot be read is kept as it is, and refused by the validation with the rest. */
function readText(node: Node, value: string): unknown {
  if (node.type === "integer" || node.type === "number") return value.trim() === "" || Number.isNaN(Number(value)) ? value : Number(value);
  if (node.type === "string" || node.enum) return value;
  const document = parseDocument(value, { prettyErrors: false });
  return document.errors.length > 0 ? value : document.toJS();
}

function environmentLayer(env: ConfigurationSources["env"]): { readonly layer: Layer; readonly problems: Problem[] } {
  const known = new Map(configKeys().map((key) => [environmentName(key.path), key]));
  const values: Record<string, unknown> = {};
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || value === undefined || OTHER_VARIABLES.has(name)) continue;
    const key = known.get(name);
    if (key) assign(values, key.path, readText(key.node, value));
    else
      problems.push({ key: name, text: `there is no such key; did you mean ${nearest(name, [...known.keys()])}?`, where: "environment" });
  }
  return { layer: { values, where: (path) => `environment ${environmentName(path)}` }, problems };
}

function flagLayer(flags: FlagValues): Layer {
  const nodes = new Map(configKeys().map((key) => [key.path.join("."), key.node]));
  const values: Record<string, unknown> = {};
  for (const [key, { value }] of Object.entries(flags)) {
    const node = nodes.get(key);
    if (!node) throw new KindredError("INTERNAL", `a flag sets ${key}, which is no key of the configuration`);
    if (value !== undefined) assign(values, key.split("."), typeof value === "string" ? readText(node, value) : value);
  }
  return { values, where: (path) => `flag ${flags[path.join(".")]?.flag ?? path.join(".")}` };
}

/**
 * Defaults, then the file, then the environment, then flags; checked as a whole and frozen.
 * @throws KindredError CONFIG_INVALID with every mistake: the key, its value, what is allowed, and where it was set
 */
export function loadConfiguration({ file, env, flags = {} }: ConfigurationSources): Config {
  const path = file ?? env.KINDRED_CONFIG ?? (existsSync("kindred.yaml") ? "kindred.yaml" : undefined);
  const { layer, problems } = environmentLayer(env);
  const layers = [...(path === undefined ? [] : [fileLayer(path)]), layer, flagLayer(flags)];
  return buildConfig(layers, problems);
}
