import { isDeepStrictEqual } from "node:util";
import Value from "typebox/value";
import { type Config, ConfigSchema, DEFAULT_VALUES } from "./config.js";
import { KindredError } from "./errors.js";

/** The parts of a JSON schema that the configuration uses. */
export interface Node {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly patternProperties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
}

/** One wrong value: the key, where it was set, and what is allowed. */
export interface Problem {
  readonly key: string;
  readonly text: string;
  readonly where: string;
}

/** Values from one place (a file, the environment, flags); `where` names the place of a key in it. */
export interface Layer {
  readonly values: unknown;
  readonly where: (path: readonly string[]) => string;
}

type Values = Record<string, unknown>;

export const schemaRoot: Node = ConfigSchema as unknown as Node;
const entryOf = (node: Node): Node | undefined => node.patternProperties && Object.values(node.patternProperties)[0];
const isObject = (value: unknown): value is Values => typeof value === "object" && value !== null && !Array.isArray(value);
const show = (value: unknown): string =>
  (typeof value === "string" ? JSON.stringify(value) : (JSON.stringify(value) ?? String(value))).slice(0, 80);

/** Every key that takes a value, in the order of the schema: `server.host`, ... A table such as fold.actions is one key. */
export function configKeys(
  node: Node = schemaRoot,
  path: readonly string[] = [],
): { readonly path: readonly string[]; readonly node: Node }[] {
  if (!node.properties) return [{ path, node }];
  return Object.entries(node.properties).flatMap(([key, child]) => configKeys(child, [...path, key]));
}

/** What a key takes, in words: `an integer from 0 to 65535`. */
export function describeAllowed(node: Node): string {
  if (node.enum) return `one of ${node.enum.join(", ")}`;
  if (node.properties) return `a section with ${Object.keys(node.properties).join(", ")}`;
  if (node.patternProperties) return "a table of names and values";
  if (node.type === "array") return "a list";
  if (node.type === "boolean") return "true or false";
  if (node.type === "string") return node.minLength ? "a text that is not empty" : "a text";
  const from = node.exclusiveMinimum === undefined ? `from ${node.minimum}` : `above ${node.exclusiveMinimum}`;
  return `${node.type === "integer" ? "an integer" : "a number"} ${from}${node.exclusiveMinimum === undefined ? " to" : ", at most"} ${node.maximum}`;
}

/** Levenshtein distance, for "did you mean". */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The name most like `name`, however it is written; undefined when there is none to choose from. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replaceAll("_", "");
  const distance = (other: string): number => editDistance(plain(name), plain(other));
  return [...known].sort((a, b) => distance(a) - distance(b))[0];
}

/** The schema's defaults as plain values. */
function defaults(node: Node): unknown {
  if (node.default !== undefined) return structuredClone(node.default);
  if (!node.properties) return undefined;
  const values = Object.entries(node.properties).map(([key, child]) => [key, defaults(child)] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

class Merge {
  readonly problems: Problem[] = [];

  constructor(private readonly where: Layer["where"]) {}

  private refuse(path: readonly string[], text: string): void {
    this.problems.push({ key: path.join("."), text, where: this.where(path) });
  }

  /** The value of a node after this layer; `before` is what the layers below gave. */
  node(node: Node, before: unknown, given: unknown, path: readonly string[]): unknown {
    if (given === undefined || given === null) return before;
    const entry = entryOf(node);
    if (!node.properties && !entry) return this.leaf(node, before, given, path);
    if (!isObject(given)) {
      this.refuse(path, `${show(given)} is not ${describeAllowed(node)}`);
      return before;
    }
    return entry ? this.table(entry, before, given, path) : this.section(node, before, given, path);
  }

  private section(node: Node, before: unknown, given: Values, path: readonly string[]): Values {
    const merged: Values = isObject(before) ? { ...before } : {};
    for (const [key, value] of Object.entries(given)) {
      const known = node.properties ?? {};
      const child = Object.hasOwn(known, key) ? known[key] : undefined;
      if (child === undefined)
        this.refuse([...path, key], `there is no such key; did you mean ${[...path, nearest(key, Object.keys(known))].join(".")}?`);
      else merged[key] = this.node(child, merged[key], value, [...path, key]);
    }
    return merged;
  }

  private table(entry: Node, before: unknown, given: Values, path: readonly string[]): Values {
    const merged: Values = isObject(before) ? { ...before } : {};
    for (const [key, value] of Object.entries(given)) {
      if (!/^[A-Za-z][\w.-]{0,63}$/.test(key))
        this.refuse([...path, key], "a name is a letter, then letters, digits, _ . or -, at most 64");
      else if (value === null) delete merged[key];
      else if (entry.properties) merged[key] = this.complete(entry, value, [...path, key]);
      else merged[key] = this.node(entry, merged[key], value, [...path, key]);
    }
    return merged;
  }

  /** An entry of a table has no defaults: all of its keys are needed. */
  private complete(entry: Node, given: unknown, path: readonly string[]): unknown {
    const value = this.node(entry, undefined, given, path);
    const lacking = Object.keys(entry.properties ?? {}).filter((key) => isObject(given) && (given[key] ?? undefined) === undefined);
    if (lacking.length > 0) this.refuse(path, `${lacking.join(" and ")} must be given too`);
    return value;
  }

  private leaf(node: Node, before: unknown, given: unknown, path: readonly string[]): unknown {
    if (Value.Check(node as never, given)) return given;
    this.refuse(path, `${show(given)} is not ${describeAllowed(node)}`);
    return before;
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}

const isLoopback = (host: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])$/.test(host);

/** What a Kafka source lacks, or contradicts. */
function kafkaContradictions({ source, kafka, registry }: Config): [key: string, text: string][] {
  if (source.kind !== "kafka") return [];
  const problems: [string, string][] = [];
  if (!/^[^\s,:]+:\d{1,5}(,[^\s,:]+:\d{1,5})*$/.test(kafka.brokers))
    problems.push(["kafka.brokers", `${show(kafka.brokers)} names no brokers; allowed: host:port, comma separated`]);
  if (kafka.format === "registry" && !/^https?:\/\//.test(registry.url))
    problems.push(["registry.url", `${show(registry.url)} is no address, and kafka.format is registry; allowed: http://host:port`]);
  const names = Object.values(kafka.topics);
  for (const [key, name] of Object.entries(kafka.topics))
    if (!/^[\w.-]{1,249}$/.test(name))
      problems.push([`kafka.topics.${key}`, `${show(name)} is no name of a topic; allowed: letters, digits, . _ -`]);
  if (new Set(names).size < names.length) problems.push(["kafka.topics", "two of them have the same name; each needs a topic of its own"]);
  if (kafka.sasl.mechanism !== "none" && (kafka.sasl.username === "" || kafka.sasl.password === ""))
    problems.push(["kafka.sasl.mechanism", "a name and a password are needed with it: kafka.sasl.username and kafka.sasl.password"]);
  if ((kafka.ssl.certFile === "") !== (kafka.ssl.keyFile === ""))
    problems.push(["kafka.ssl.certFile", "certificate and key come together: kafka.ssl.certFile and kafka.ssl.keyFile"]);
  return problems;
}

/** What is well formed but goes against another key, or asks for what this version does not do yet. */
function contradictions(config: Config): Problem[] {
  const problems: Problem[] = [];
  const refuse = (key: string, text: string): void => void problems.push({ key, text, where: "" });
  for (const problem of kafkaContradictions(config)) refuse(...problem);
  if (config.index.engine === "milvus")
    refuse("index.engine", '"milvus" is not available in this version; allowed: embedded, exact, faiss-node');
  if (config.index.efLeast > config.index.efMost)
    refuse("index.efLeast", `${config.index.efLeast} is above index.efMost; allowed: at most ${config.index.efMost}`);
  if (config.auth.keys.length > 0) refuse("auth.keys", "keys are not available in this version; leave the list empty");
  if (config.redis.url !== "") refuse("redis.url", "a shared cache is not available in this version; leave it empty");
  if (config.privacy.pseudonymKey !== "") refuse("privacy.pseudonymKey", "pseudonyms are not available in this version; leave it empty");
  if (config.auth.keys.length === 0 && !isLoopback(config.server.host))
    refuse(
      "server.host",
      `${show(config.server.host)} is not a loopback address, and auth.keys is empty; allowed: 127.0.0.1, ::1, localhost`,
    );
  if (Object.keys(config.fold.actions).length === 0) refuse("fold.actions", "no action is left; at least one is needed");
  // A default of an action that was removed is no mistake.
  const byDefault: Values = DEFAULT_VALUES;
  for (const [action, scale] of Object.entries(config.fold.values))
    if (!Object.hasOwn(config.fold.actions, action) && !isDeepStrictEqual(scale, byDefault[action]))
      refuse(`fold.values.${action}`, `there is no such action; allowed: ${Object.keys(config.fold.actions).join(", ")}`);
  return problems;
}

/** Lists all problems in one message, one a line. Where only flags are wrong, the command was called wrongly. */
export function configError(problems: readonly Problem[]): KindredError {
  const code = problems.every(({ where }) => where.startsWith("flag ")) ? "USAGE" : "CONFIG_INVALID";
  const lines = problems.map(({ key, text, where }) => `${key === "" ? "" : `${key}: `}${text}${where === "" ? "" : ` (${where})`}`);
  return new KindredError(code, lines.length === 1 ? (lines[0] ?? "") : `${lines.length} mistakes\n  ${lines.join("\n  ")}`);
}

/**
 * Puts layers over the defaults, later ones over earlier ones, and checks everything.
 * @param found what was wrong already while the layers were read; reported with the rest
 * @throws KindredError CONFIG_INVALID naming every wrong key, its value and what is allowed
 */
export function buildConfig(layers: readonly Layer[], found: readonly Problem[] = []): Config {
  let values = defaults(schemaRoot);
  const problems: Problem[] = [...found];
  for (const layer of layers) {
    const merge = new Merge(layer.where);
    values = merge.node(schemaRoot, values, layer.values, []);
    problems.push(...merge.problems);
  }
  const config = values as Config;
  const wrong = new Set(problems.map(({ key }) => key));
  problems.push(...contradictions(config).filter(({ key }) => !wrong.has(key)));
  if (problems.length > 0) throw configError(problems);
  return deepFreeze(config);
}

/** The configuration of someone who configures nothing. */
export function defaultConfig(): Config {
  return buildConfig([]);
}
