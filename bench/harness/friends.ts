/** What neighbours by behaviour have to do with friendships and with what people have in common. */
import { jaccard } from "../../models/evaluation/user-neighbours.js";

/** Probability that a friend pair scores above a random pair, ties a half (Mann-Whitney). */
export function auc(positives: readonly number[], negatives: readonly number[]): number {
  const all = [...positives.map((score) => ({ score, positive: true })), ...negatives.map((score) => ({ score, positive: false }))].sort(
    (a, b) => a.score - b.score,
  );
  let rankSum = 0;
  for (let i = 0; i < all.length; ) {
    let j = i;
    while (j < all.length && all[j]?.score === all[i]?.score) j++;
    for (let k = i; k < j; k++) if (all[k]?.positive) rankSum += (i + j + 1) / 2;
    i = j;
  }
  return (rankSum - (positives.length * (positives.length + 1)) / 2) / (positives.length * negatives.length);
}

export function cosine(u: readonly number[], v: readonly number[]): number {
  let [dot, uu, vv] = [0, 0, 0];
  for (let i = 0; i < u.length; i++) {
    dot += (u[i] ?? 0) * (v[i] ?? 0);
    uu += (u[i] ?? 0) ** 2;
    vv += (v[i] ?? 0) ** 2;
  }
  return dot / Math.sqrt(uu * vv);
}

export const hamming = (a: bigint, b: bigint): number => (a ^ b).toString(2).replaceAll("0", "").length;

const bits = (x: number): number => {
  let count = 0;
  for (let left = x >>> 0; left !== 0; left &= left - 1) count++;
  return count;
};

/** Histories as ascending sets of numbers, by user. */
export function numbered(pairs: readonly (readonly [user: string, item: string])[]): Map<string, Uint32Array> {
  const numbers = new Map<string, number>();
  const sets = new Map<string, Set<number>>();
  for (const [user, item] of pairs) {
    const number = numbers.get(item) ?? numbers.size;
    numbers.set(item, number);
    sets.set(user, (sets.get(user) ?? new Set()).add(number));
  }
  return new Map([...sets].map(([user, set]) => [user, Uint32Array.from(set).sort()]));
}

/** Mean Jaccard of everyone's `k` nearest by Jaccard itself: nobody finds more. */
export function exactJaccard(histories: ReadonlyMap<string, Uint32Array>, k: number): number {
  const all = [...histories.values()];
  let sum = 0;
  for (const own of all) {
    const scores = all.map((other) => (other === own ? -1 : jaccard(own, other))).sort((a, b) => b - a);
    for (const score of scores.slice(0, k)) sum += score / k;
  }
  return sum / all.length;
}

/** Users with somebody at a Hamming distance below `within`, and which share of these pairs has a Jaccard of at least `least`. */
export function grouping(
  fingerprints: ReadonlyMap<string, bigint>,
  histories: ReadonlyMap<string, Uint32Array>,
  { within, least }: { readonly within: number; readonly least: number },
): { readonly users: number; readonly pairs: number; readonly alike: number } {
  const users = [...fingerprints.keys()];
  const hi = users.map((user) => Number((fingerprints.get(user) as bigint) >> 32n));
  const lo = users.map((user) => Number((fingerprints.get(user) as bigint) & 0xffffffffn));
  const grouped = new Set<number>();
  let [pairs, alike] = [0, 0];
  for (let i = 0; i < users.length; i++)
    for (let j = i + 1; j < users.length; j++) {
      if (bits((hi[i] as number) ^ (hi[j] as number)) + bits((lo[i] as number) ^ (lo[j] as number)) >= within) continue;
      grouped.add(i).add(j);
      pairs++;
      const [a, b] = [histories.get(users[i] as string), histories.get(users[j] as string)];
      if (a && b && jaccard(a, b) >= least) alike++;
    }
  return { users: grouped.size, pairs, alike };
}
