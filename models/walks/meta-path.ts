import type { SkipGramPath } from "../../native/skip-gram.js";
import { KindredError } from "../../schemas/errors.js";
import type { HeterogeneousGraph } from "./heterogeneous-graph.js";

/** A step of a meta-path: the type of node that it leads to, and by which action ("": any). */
interface Step {
  readonly type: string;
  readonly action: string;
}

const STEP = /^(?:\(([^()]+)\))?([^()]+)$/;

/**
 * `user-song-user`, `user-song-artist-song-user`: types of nodes, the first again at the end, since a walk goes round. `(like)` before a type
 * leaves only edges of that action: `user-(like)song-(like)user`. `artist` is a creator where no items are artists.
 * @throws KindredError INVALID_ARGUMENT: it can't be read, or a type is not there
 */
function parseMetaPath(text: string, graph: HeterogeneousGraph): Step[] {
  const invalid = (what: string): KindredError => new KindredError("INVALID_ARGUMENT", `${JSON.stringify(text)} ${what}`, "path");
  const steps = text.split("-").map((part) => {
    const [, action = "", type] = STEP.exec(part.trim()) ?? [];
    if (type === undefined) throw invalid("is no meta-path; one is user-song-user, or user-(like)song-(like)user");
    return { type: type === "artist" && !graph.knows(type) ? "creator" : type, action };
  });
  const unknown = steps.find(({ type }) => !graph.knows(type));
  if (unknown !== undefined) throw invalid(`has the type ${unknown.type}; these data have ${[...graph.typeNames, "item"].join(", ")}`);
  if (steps.length < 3 || steps[0]!.type !== steps.at(-1)!.type) throw invalid("must end with the type that it begins with, after others");
  if (steps[0]!.action !== "") throw invalid("begins with an action, which belongs to a step");
  return steps;
}

/** What walkers need of a path; its relations are made in the graph. @throws KindredError INVALID_ARGUMENT */
export function compileMetaPath(text: string, graph: HeterogeneousGraph): SkipGramPath {
  const steps = parseMetaPath(text, graph);
  const relations = steps.slice(1).map(({ type, action }, i) => graph.relation(steps[i]!.type, type, action));
  const { first, starts } = graph.relations[relations[0]!]!;
  // Who has no edge to begin with has nothing to walk.
  const nodes = graph.nodesOf(steps[0]!.type).filter((node) => starts[node - first + 1]! > starts[node - first]!);
  return { relations: Uint32Array.from(relations), nodes };
}

/** What the data have: people who meet in items, in what creators made, in what has a tag. */
export function defaultMetaPaths(graph: HeterogeneousGraph): string[] {
  const has = (type: string): boolean => graph.ranges.some((range) => range.type === type && range.ids.length > 0);
  const paths = ["user-item-user"];
  if (has("creator")) paths.push("user-item-creator-item-user");
  if (has("tag")) paths.push("user-item-tag-item-user");
  return paths;
}

/**
 * Which types are which's context, as a table of 0 and 1: `user~item,item~item`, each both ways; `item` is every type of items. "": all of all.
 * @throws KindredError INVALID_ARGUMENT
 */
export function contextTable(text: string, graph: HeterogeneousGraph): Uint32Array {
  const { typeNames } = graph;
  const table = new Uint32Array(typeNames.length ** 2);
  if (text.trim() === "") return table.fill(1);
  const items = new Set(graph.types.subarray(0, graph.items));
  const numbersOf = (type: string): number[] => (type === "item" ? [...items] : [typeNames.indexOf(type)]);
  for (const pair of text.split(",")) {
    const types = pair.split("~").map((type) => (type.trim() === "artist" && !graph.knows("artist") ? "creator" : type.trim()));
    if (types.length !== 2 || !types.every((type) => graph.knows(type)))
      throw new KindredError("INVALID_ARGUMENT", `${JSON.stringify(pair)} is no pair of types such as user~song`, "context");
    const [first, second] = types.map(numbersOf) as [number[], number[]];
    for (const a of first) for (const b of second) table[a * typeNames.length + b] = table[b * typeNames.length + a] = 1;
  }
  return table;
}
