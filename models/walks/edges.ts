/** Edges from nodes 0, 1, ...: number i has targets[starts[i]] to targets[starts[i + 1] - 1]. */
export interface Edges {
  readonly starts: Uint32Array;
  readonly targets: Uint32Array;
  /** Above 0. */
  readonly weights: Float32Array;
}

/** The same edges from their other end. */
export function reversed({ starts, targets, weights }: Edges, count: number): Edges {
  const turned = new Uint32Array(count + 1);
  for (const target of targets) turned[target + 1]!++;
  for (let node = 1; node < turned.length; node++) turned[node]! += turned[node - 1]!;
  const places = turned.slice();
  const back = { starts: turned, targets: new Uint32Array(targets.length), weights: new Float32Array(targets.length) };
  for (let node = 0; node + 1 < starts.length; node++)
    for (let at = starts[node]!; at < starts[node + 1]!; at++) {
      const place = places[targets[at]!]!++;
      back.targets[place] = node;
      back.weights[place] = weights[at]!;
    }
  return back;
}

/** Those of the edges for which `keep` holds. */
export function filtered({ starts, targets, weights }: Edges, keep: (edge: number) => boolean): Edges {
  const kept = new Uint32Array(targets.length);
  const fewer = new Uint32Array(starts.length);
  let count = 0;
  for (let node = 0; node + 1 < starts.length; node++) {
    for (let at = starts[node]!; at < starts[node + 1]!; at++) if (keep(at)) kept[count++] = at;
    fewer[node + 1] = count;
  }
  const edges = kept.subarray(0, count);
  return { starts: fewer, targets: edges.map((at) => targets[at]!), weights: Float32Array.from(edges, (at) => weights[at]!) };
}

/** Edges of lists of labels, numbered as they first come: each weighs 1. */
export function labelEdges(lists: Iterable<readonly string[]>): { readonly edges: Edges; readonly labels: string[] } {
  const numbers = new Map<string, number>();
  const [starts, targets]: [number[], number[]] = [[0], []];
  for (const list of lists) {
    for (const label of list) {
      const number = numbers.get(label) ?? numbers.size;
      numbers.set(label, number);
      targets.push(number);
    }
    starts.push(targets.length);
  }
  const edges = { starts: Uint32Array.from(starts), targets: Uint32Array.from(targets), weights: new Float32Array(targets.length).fill(1) };
  return { edges, labels: [...numbers.keys()] };
}
