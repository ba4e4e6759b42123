/** How negatives are constrained: with which weight an item is one, and in place of which others. */
export interface NegativeTables {
  /** Popularity to the power of the exponent; 0 for an item that nobody has. */
  readonly weights: Float32Array;
  /** One for each type and popularity stratum that occur, numbered from 0. */
  readonly strata: Uint32Array;
}

/**
 * Strata of popularity are cut within each type so that each has about the same number of interactions: the first holds the few items of
 * the head, the last the many of the tail. A negative drawn from the stratum of the item that it stands against is told apart from it by
 * taste and not by popularity or by type.
 */
export function negativeTables(types: readonly string[], popularity: Uint32Array, exponent: number, strataOfType: number): NegativeTables {
  const weights = Float32Array.from(popularity, (count) => (count === 0 ? 0 : count ** exponent));
  const byType = new Map<string, number[]>();
  for (const [row, type] of types.entries()) {
    const rows = byType.get(type);
    if (rows === undefined) byType.set(type, [row]);
    else rows.push(row);
  }
  const strata = new Uint32Array(types.length);
  let next = 0;
  for (const rows of byType.values()) next = cut(rows, popularity, strataOfType, next, strata);
  return { weights, strata };
}

/** Numbers the strata of one type from `first`; gives the number after the last. */
function cut(rows: number[], popularity: Uint32Array, count: number, first: number, strata: Uint32Array): number {
  rows.sort((a, b) => popularity[b]! - popularity[a]! || a - b);
  const total = rows.reduce((sum, row) => sum + popularity[row]!, 0);
  let [before, stratum, numbered] = [0, 0, first - 1];
  for (const row of rows) {
    const wanted = total === 0 ? 0 : Math.min(count - 1, Math.floor((before * count) / total));
    // An item of the head may hold more than a stratum's share: numbers stay dense.
    if (wanted > stratum || numbered < first) numbered++;
    stratum = Math.max(stratum, wanted);
    strata[row] = numbered;
    before += popularity[row]!;
  }
  return numbered + 1;
}
