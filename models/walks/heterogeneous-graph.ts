import type { SkipGramRelation } from "../../native/skip-gram.js";
import { KindredError } from "../../schemas/errors.js";
import type { TrainingSet } from "../../schemas/model.js";
import { typesOf } from "../training-set/training-set.js";
import { type Edges, filtered, labelEdges, reversed } from "./edges.js";

/** Nodes that are no items. Items have their own types: song, podcast, ...; `item` is any of them. */
export const OTHER_TYPES = ["user", "creator", "tag", "scene", "type"] as const;
export type OtherType = (typeof OTHER_TYPES)[number];
const ANY_ITEM = "item";

/** Of an item's type; one that is called like nodes that are no items (`tag:blue`) is told apart from them. */
const nodeTypeOf = (type: string): string =>
  type === "" ? ANY_ITEM : (OTHER_TYPES as readonly string[]).includes(type) ? `${type}_${ANY_ITEM}` : type;

/** A range of nodes: number i of them is the node first + i. */
export interface NodeRange {
  readonly type: OtherType;
  readonly first: number;
  readonly ids: readonly string[];
}

/**
 * Users, items, creators, tags, scenes and types of items as nodes of one graph, numbered through: first the items, as the histories have
 * them, then each range. Edges go between users and items (by action, by strength), users and scenes, items and their labels; relations are
 * made as paths ask for them.
 */
export class HeterogeneousGraph {
  readonly items: number;
  readonly nodes: number;
  readonly ranges: readonly NodeRange[];
  /** Names of the types of nodes, and the type of each node as a number of them. */
  readonly typeNames: readonly string[];
  readonly types: Uint32Array;
  readonly #set: TrainingSet;
  /** From a type of the first to one of the second, both without regard to types of items. */
  readonly #edges = new Map<string, Edges>();
  readonly #relations: SkipGramRelation[] = [];
  readonly #numbers = new Map<string, number>();

  /** @param damping edges between users and items weigh strength^damping */
  constructor(set: TrainingSet, damping: number) {
    this.#set = set;
    const { histories, infos, scenes, sceneNames = [] } = set;
    this.items = histories.items.length;
    const itemTypes = typesOf(set).map(nodeTypeOf);
    const labels = {
      creator: labelEdges(histories.items.map((item) => infos?.get(item)?.creators ?? [])),
      tag: labelEdges(histories.items.map((item) => infos?.get(item)?.tags ?? [])),
      scene: labelEdges(scenesOf(set)),
      type: labelEdges(itemTypes.map((type) => [type])),
    };
    const ids: Record<OtherType, readonly string[]> = {
      user: histories.users,
      creator: labels.creator.labels,
      tag: labels.tag.labels,
      scene: labels.scene.labels,
      type: labels.type.labels,
    };
    let first = this.items;
    this.ranges = OTHER_TYPES.map((type) => {
      const range = { type, first, ids: ids[type] };
      first += ids[type].length;
      return range;
    });
    this.nodes = first;
    this.#addBoth("user", ANY_ITEM, userItemEdges(set, damping));
    for (const [type, { edges }] of Object.entries(labels)) this.#addBoth(ANY_ITEM, type, edges);
    if (scenes !== undefined) this.#addBoth("user", "scene", userSceneEdges(histories.starts, scenes, sceneNames, ids.scene));
    this.typeNames = [...new Set(itemTypes), ...OTHER_TYPES];
    const numbers = new Map(this.typeNames.map((name, number) => [name, number]));
    this.types = new Uint32Array(this.nodes);
    for (const [item, type] of itemTypes.entries()) this.types[item] = numbers.get(type)!;
    for (const range of this.ranges) this.types.fill(numbers.get(range.type)!, range.first, range.first + range.ids.length);
  }

  /** Relations asked for so far. */
  get relations(): readonly SkipGramRelation[] {
    return this.#relations;
  }

  /** Whether there is such a type of nodes, or `item`. */
  knows(type: string): boolean {
    return type === ANY_ITEM || this.typeNames.includes(type);
  }

  /** The nodes of a type. */
  nodesOf(type: string): Uint32Array {
    const range = this.ranges.find((one) => one.type === type);
    if (range) return Uint32Array.from(range.ids, (_, i) => range.first + i);
    const items = Uint32Array.from({ length: this.items }, (_, i) => i);
    return type === ANY_ITEM ? items : items.filter((item) => this.typeNames[this.types[item]!] === type);
  }

  /**
   * The number, among `relations`, of the edges from one type to another.
   * @param action only edges of this one; "": all
   * @throws KindredError INVALID_ARGUMENT: there are no such edges
   */
  relation(from: string, to: string, action: string): number {
    const name = JSON.stringify([from, to, action]);
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const edges = this.#edgesOf(from, to, action);
    if (edges === undefined || edges.targets.length === 0)
      throw new KindredError("INVALID_ARGUMENT", `no edges lead from ${from} to ${to}${action && ` by ${action}`} in these data`, "path");
    const [first, target] = [this.#firstOf(from), this.#firstOf(to)];
    const targets = target === 0 ? edges.targets : edges.targets.map((node) => node + target);
    this.#relations.push({ first, starts: edges.starts, targets, weights: edges.weights });
    this.#numbers.set(name, this.#relations.length - 1);
    return this.#relations.length - 1;
  }

  #edgesOf(from: string, to: string, action: string): Edges | undefined {
    const [a, b] = [kindOf(from), kindOf(to)];
    let edges = this.#edges.get(`${a} ${b}`);
    if (edges === undefined) return undefined;
    if (action !== "") edges = this.#byAction(edges, a, b, action);
    // Whoever comes from items comes from some type of them; where to go is to be of the type.
    if (b !== ANY_ITEM || to === ANY_ITEM || edges === undefined) return edges;
    const { targets } = edges;
    const type = this.typeNames.indexOf(to);
    return filtered(edges, (edge) => this.types[targets[edge]!] === type);
  }

  #byAction(edges: Edges, from: string, to: string, action: string): Edges | undefined {
    const { actions, actionNames = [] } = this.#set;
    const bit = actionNames.indexOf(action);
    if (actions === undefined || bit < 0) return undefined;
    if (from === "user" && to === ANY_ITEM) return filtered(edges, (edge) => ((actions[edge]! >>> bit) & 1) === 1);
    if (from === ANY_ITEM && to === "user") {
      const forth = this.#byAction(this.#edges.get(`user ${ANY_ITEM}`) as Edges, "user", ANY_ITEM, action);
      return forth && reversed(forth, this.items);
    }
    return undefined;
  }

  #addBoth(from: string, to: string, edges: Edges): void {
    this.#edges.set(`${from} ${to}`, edges);
    const count = to === ANY_ITEM ? this.items : this.ranges.find(({ type }) => type === to)!.ids.length;
    this.#edges.set(`${to} ${from}`, reversed(edges, count));
  }

  #firstOf(type: string): number {
    return this.ranges.find((range) => range.type === type)?.first ?? 0;
  }
}

const kindOf = (type: string): string => ((OTHER_TYPES as readonly string[]).includes(type) ? type : ANY_ITEM);

function userItemEdges({ histories, weights }: TrainingSet, damping: number): Edges {
  const { starts, rows } = histories;
  const strengths = weights === undefined ? new Float32Array(rows.length).fill(1) : weights.map((weight) => weight ** damping);
  return { starts, targets: rows, weights: strengths };
}

/** Of each item: what its side information says, else where people met it. */
function scenesOf({ histories, infos, scenes, sceneNames = [] }: TrainingSet): string[][] {
  const met = new Uint32Array(histories.items.length);
  if (scenes !== undefined) for (const [at, row] of histories.rows.entries()) met[row]! |= scenes[at]!;
  return histories.items.map((item, row) => {
    const scene = infos?.get(item)?.scene;
    return scene === undefined ? sceneNames.filter((_, bit) => ((met[row]! >>> bit) & 1) === 1) : [scene];
  });
}

/** A user's scenes, each as strong as there are items that the user met there. */
function userSceneEdges(starts: Uint32Array, scenes: Uint32Array, names: readonly string[], labels: readonly string[]): Edges {
  const [from, targets, weights]: [number[], number[], number[]] = [[0], [], []];
  const numbers = names.map((name) => labels.indexOf(name));
  for (let user = 0; user + 1 < starts.length; user++) {
    const own = scenes.subarray(starts[user], starts[user + 1]);
    for (const [bit, number] of numbers.entries()) {
      const count = own.reduce((sum, bits) => sum + ((bits >>> bit) & 1), 0);
      if (count === 0 || number < 0) continue;
      targets.push(number);
      weights.push(count);
    }
    from.push(targets.length);
  }
  return { starts: Uint32Array.from(from), targets: Uint32Array.from(targets), weights: Float32Array.from(weights) };
}
