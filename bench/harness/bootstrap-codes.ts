import type { PublishedRow } from "../../schemas/ports/read-model.js";
import { addKeyword, fingerprintOf, type KeywordHash, keywordHash } from "../../state/simhash.js";
import { seededRandom } from "../../test/harness/seeded-random.js";
import type { RealUsers } from "./real-users.js";

interface Profile {
  /** Numbers of the keywords of each item. */
  readonly keywords: readonly Uint32Array[];
  readonly weights: Float32Array;
}

/**
 * More people of the same kind: each is a real one whose history is drawn anew from itself, item by item with replacement
 * (Efron's bootstrap); the keywords are then counted and hashed as the product does. As the real ones are few, the made ones
 * lie closer together than so many real people would: their buckets are an upper bound.
 */
export class Bootstrap {
  private readonly labels: string[] = [];
  private readonly hashes: KeywordHash[] = [];
  private readonly profiles: readonly Profile[];
  private readonly totals: Float64Array;
  private readonly accumulators = new Float64Array(64);

  constructor(private readonly users: RealUsers) {
    const numbers = new Map<string, number>();
    const numberOf = (label: string): number => {
      const known = numbers.get(label);
      if (known !== undefined) return known;
      numbers.set(label, this.labels.push(label) - 1);
      this.hashes.push(keywordHash(users.kind, label));
      return this.labels.length - 1;
    };
    this.profiles = users.rows.map((row) => ({
      keywords: row.items.map((item) => Uint32Array.from(users.keywordsOf(item), numberOf)),
      weights: row.weights,
    }));
    this.totals = new Float64Array(this.labels.length);
  }

  /** Share of the real users whose own history gives their own fingerprint: what is drawn here is what the product makes. */
  fidelity(): number {
    const same = this.users.rows.filter((row: PublishedRow, i) => {
      const { items } = row;
      const { hi, lo } = this.fingerprint(this.profiles[i] as Profile, (n) => n, items.length);
      return hi === row.fingerprintHi && lo === row.fingerprintLo;
    });
    return same.length / this.users.rows.length;
  }

  /** `count` fingerprints, 8 bytes each, little endian. */
  codes(count: number, seed: number): Uint32Array {
    const random = seededRandom(seed);
    const codes = new Uint32Array(2 * count);
    for (let made = 0; made < count; ) {
      const profile = this.profiles[random(this.profiles.length)] as Profile;
      const length = profile.weights.length;
      const { has, hi, lo } = this.fingerprint(profile, () => random(length), length);
      if (!has) continue;
      codes[2 * made] = lo;
      codes[2 * made + 1] = hi;
      made++;
    }
    return codes;
  }

  private fingerprint({ keywords, weights }: Profile, draw: (n: number) => number, length: number): ReturnType<typeof fingerprintOf> {
    const touched: number[] = [];
    for (let n = 0; n < length; n++) {
      const item = draw(n);
      for (const keyword of keywords[item] as Uint32Array) {
        if (this.totals[keyword] === 0) touched.push(keyword);
        this.totals[keyword] = (this.totals[keyword] as number) + (weights[item] as number);
      }
    }
    this.accumulators.fill(0);
    for (const keyword of this.strongest(touched)) {
      const { hi, lo } = this.hashes[keyword] as KeywordHash;
      addKeyword(this.accumulators, 0, hi, lo, this.totals[keyword] as number);
    }
    for (const keyword of touched) this.totals[keyword] = 0;
    return fingerprintOf(this.accumulators, 0);
  }

  private strongest(touched: readonly number[]): readonly number[] {
    const { top } = this.users;
    if (top === 0 || touched.length <= top) return touched;
    const before = (a: number, b: number): boolean => {
      const difference = (this.totals[a] as number) - (this.totals[b] as number);
      return difference !== 0 ? difference > 0 : (this.labels[a] as string) < (this.labels[b] as string);
    };
    const best: number[] = [];
    for (const keyword of touched) {
      if (best.length === top && before(best[top - 1] as number, keyword)) continue;
      if (best.length === top) best.pop();
      let at = best.length;
      while (at > 0 && before(keyword, best[at - 1] as number)) at--;
      best.splice(at, 0, keyword);
    }
    return best;
  }
}
