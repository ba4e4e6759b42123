import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createGzip } from "node:zlib";
import { SeededRandom } from "../../models/seeded-random.js";

export interface MadeUpSplit {
  readonly users: number;
  readonly items: number;
  /** Mean length of a history. */
  readonly meanItems: number;
  readonly tastes: number;
  readonly seed: number;
}

/** Of all draws, those from the whole catalogue and not from one of the user's tastes. */
const ANYTHING = 0.2;
const MOST_TASTES = 3;
/** Popularity by rank^-this, in the whole and within a taste. */
const ZIPF = 0.9;
const FEWEST = 5;
const MOST = 2_000;
/** One user in so many is tested, on one item in so many of what they have. */
const TESTED_EVERY = 50;
const TEST_EVERY = 5;

/** Ranks 0 to count - 1, drawn by rank^-ZIPF: the inverse of the continuous distribution, which needs no table. */
function zipfRank(uniform: number, count: number): number {
  const power = 1 - ZIPF;
  return Math.min(count - 1, Math.floor(((count + 1) ** power * uniform + 1 - uniform) ** (1 / power)) - 1);
}

/** Someone's items: how many is lognormal, which ones by one to three tastes whose items are popular by Zipf. */
function historyOf(user: number, { items, meanItems, tastes, seed }: MadeUpSplit): number[] {
  const random = new SeededRandom(Math.imul(user + 1, 0x9e3779b1) ^ seed);
  const uniform = (): number => (random.next() + 0.5) / 2 ** 32;
  const normal = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  // Sigma 1, so the mean is e^(1/2) times the median.
  const length = Math.max(FEWEST, Math.min(MOST, Math.round(meanItems * Math.exp(normal - 0.5))));
  const own = Array.from({ length: 1 + random.below(MOST_TASTES) }, () => zipfRank(uniform(), tastes));
  const perTaste = Math.floor(items / tastes);
  const chosen = new Set<number>();
  for (let draws = 0; chosen.size < length && draws < 4 * length; draws++) {
    const taste = own[random.below(own.length)]!;
    // Item i is of taste i mod tastes, and the more popular the lower.
    chosen.add(uniform() < ANYTHING ? zipfRank(uniform(), items) : zipfRank(uniform(), perTaste) * tastes + taste);
  }
  return [...chosen];
}

const USERS_A_BLOCK = 2_000;

function* blocks(split: MadeUpSplit, part: "train" | "test"): Generator<string> {
  for (let from = 0; from < split.users; from += USERS_A_BLOCK) {
    const lines: string[] = [];
    for (let user = from; user < Math.min(split.users, from + USERS_A_BLOCK); user++) {
      const isTested = user % TESTED_EVERY === 0;
      if (part === "test" && !isTested) continue;
      const items = historyOf(user, split);
      // Popular ones tend to be drawn early, so those held out are taken from all along the order.
      const isHeld = (_: number, i: number): boolean => isTested && i % TEST_EVERY === TEST_EVERY - 1;
      const kept = items.filter((item, i) => isHeld(item, i) === (part === "test"));
      lines.push(`u${user} ${kept.map((item) => `i${item}`).join(" ")}\n`);
    }
    yield lines.join("");
  }
}

/** Writes train.txt.gz and test.txt.gz, streaming; the same numbers give the same files. */
export async function writeMadeUpSplit(directory: string, split: MadeUpSplit): Promise<{ train: string; test: string }> {
  const files = { train: join(directory, "train.txt.gz"), test: join(directory, "test.txt.gz") };
  for (const part of ["train", "test"] as const)
    await pipeline(Readable.from(blocks(split, part)), createGzip({ level: constants.Z_BEST_SPEED }), createWriteStream(files[part]));
  return files;
}
