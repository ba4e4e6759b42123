/**
 * Does behaviour find friends? Last.fm plays of 1,892 people go through `kindred replay`, the server answers from the result, and
 * the 12,717 real friendships (never shown to kindred) are held against as many random pairs: AUC by vector and by fingerprint,
 * and recall@50 of friends among the neighbours that /v1/recall/u2u answers.
 *
 *   npm run -s bench -- lastfm-friends DIR_OF_LASTFM_2K
 */
import { join } from "node:path";
import { LoadClient } from "../test/harness/http-load.js";
import { KindredServer, kindredJson, temporaryDirectory } from "../test/harness/kindred-process.js";
import { seededRandom } from "../test/harness/seeded-random.js";
import { lastfmLines } from "./harness/lastfm.js";
import { Results, round } from "./harness/results.js";

const data = process.argv[2];
if (data === undefined) throw new Error("usage: npm run -s bench -- lastfm-friends DIR_OF_LASTFM_2K");
const lines = (name: string): Promise<string[][]> => lastfmLines(data, name);

/** Probability that a friend pair scores above a random pair, ties a half (Mann-Whitney). */
function auc(positives: readonly number[], negatives: readonly number[]): number {
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

interface User {
  readonly vector: readonly number[] | null;
  readonly fingerprint: bigint | null;
}

async function measure(name: string, prepare: (directory: string) => Promise<void>, results: Results): Promise<void> {
  const directory = await temporaryDirectory("lastfm");
  try {
    await prepare(directory.path);
    const server = await KindredServer.start(directory.path);
    const client = new LoadClient(server.url, 8);
    try {
      const friends = (await lines("user_friends.dat.gz")).filter(([a, b]) => Number(a) < Number(b)) as [string, string][];
      const ids = [...new Set((await lines("user_artists.dat.gz")).map(([user]) => user as string))];
      const users = new Map<string, User>();
      for (const id of ids) {
        const profile = JSON.parse((await client.get(`/v1/users/${id}?fields=vector`)).body) as {
          vector: number[] | null;
          fingerprint: string | null;
        };
        users.set(id, { vector: profile.vector, fingerprint: profile.fingerprint === null ? null : BigInt(`0x${profile.fingerprint}`) });
      }
      const cosine = (a: string, b: string): number => {
        const [u, v] = [users.get(a)?.vector, users.get(b)?.vector];
        if (!u || !v) return 0;
        let dot = 0;
        let uu = 0;
        let vv = 0;
        for (let i = 0; i < u.length; i++) {
          dot += (u[i] ?? 0) * (v[i] ?? 0);
          uu += (u[i] ?? 0) ** 2;
          vv += (v[i] ?? 0) ** 2;
        }
        return dot / Math.sqrt(uu * vv);
      };
      const nearness = (a: string, b: string): number => {
        const [u, v] = [users.get(a)?.fingerprint, users.get(b)?.fingerprint];
        if (u == null || v == null) return 0;
        return 64 - hamming(u, v);
      };
      const random = seededRandom(1);
      const strangers = friends
        .map(() => [ids[random(ids.length)], ids[random(ids.length)]] as [string, string])
        .filter(([a, b]) => a !== b);
      const byVector = auc(
        friends.map(([a, b]) => cosine(a, b)),
        strangers.map(([a, b]) => cosine(a, b)),
      );
      const byFingerprint = auc(
        friends.map(([a, b]) => nearness(a, b)),
        strangers.map(([a, b]) => nearness(a, b)),
      );
      const friendsOf = new Map<string, Set<string>>();
      for (const [a, b] of friends)
        for (const [x, y] of [
          [a, b],
          [b, a],
        ] as const)
          friendsOf.set(x, (friendsOf.get(x) ?? new Set()).add(y));
      let recallSum = 0;
      let asked = 0;
      for (const [id, known] of friendsOf) {
        if (!users.has(id)) continue;
        const answer = JSON.parse((await client.get(`/v1/recall/u2u?user=${id}&limit=50`)).body) as { results: { id: string }[] };
        recallSum += answer.results.filter((result) => known.has(result.id)).length / known.size;
        asked++;
      }
      const fingerprints = [...users.values()].map((user) => user.fingerprint).filter((f) => f !== null);
      const grouped = fingerprints.filter((f, i) => fingerprints.some((g, j) => i !== j && hamming(f, g) < 3)).length;
      results.row(
        name,
        round(byVector, 3),
        round(byFingerprint, 3),
        round(recallSum / asked, 3),
        round(50 / ids.length, 3),
        round((100 * grouped) / users.size),
      );
    } finally {
      client.close();
      await server.stop();
    }
  } finally {
    await directory.remove();
  }
}

const hamming = (a: bigint, b: bigint): number => (a ^ b).toString(2).replaceAll("0", "").length;

const replay = (directory: string): Promise<unknown> =>
  kindredJson([
    "replay",
    "--from",
    join(data, "user_artists.dat.gz"),
    "--format",
    "tsv",
    "--map",
    "user=userID,item=artistID,value=weight",
    "--set",
    "ts=2011-01-01T00:00:00Z",
    "--data-dir",
    directory,
  ]);
const tags = (directory: string): Promise<unknown> =>
  kindredJson([
    "items",
    "import",
    "--from",
    join(data, "user_taggedartists.dat.gz"),
    "--format",
    "tsv",
    "--map",
    "item=artistID,tags=tagID",
    "--set",
    "type=artist",
    "--data-dir",
    directory,
  ]);

const results = new Results(
  "lastfm-friends",
  "Real friendships against random pairs, generation 0 (nothing trained): does nearness by behaviour find them?",
  [
    "side information",
    "AUC by vector",
    "AUC by fingerprint",
    "recall@50 of friends",
    "by chance",
    "users with a neighbour at Hamming < 3, %",
  ],
);
await measure("none (items are keywords)", async (directory) => void (await replay(directory)), results);
await measure(
  "tags of artists",
  async (directory) => {
    await replay(directory);
    await tags(directory);
  },
  results,
);
await results.write();
