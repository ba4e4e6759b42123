/**
 * Does behaviour find friends? Last.fm plays of 1,892 people go through `kindred replay`, the server answers from the result, and
 * the 12,717 real friendships (never shown to kindred) are held against as many random pairs: AUC by vector and by fingerprint,
 * recall@50 of friends among the neighbours that /v1/recall/u2u answers, and what those have in common.
 *
 *   npm run -s bench -- lastfm-friends DIR_OF_LASTFM_2K [BEGIN_OF_A_WAY]
 */
import { join } from "node:path";
import { jaccard } from "../models/evaluation/user-neighbours.js";
import { LoadClient } from "../test/harness/http-load.js";
import { KindredServer, kindredJson, temporaryDirectory } from "../test/harness/kindred-process.js";
import { seededRandom } from "../test/harness/seeded-random.js";
import { auc, cosine, exactJaccard, grouping, hamming, numbered } from "./harness/friends.js";
import { lastfmLines } from "./harness/lastfm.js";
import { Results, round } from "./harness/results.js";

const [data, only] = process.argv.slice(2);
if (data === undefined) throw new Error("usage: npm run -s bench -- lastfm-friends DIR_OF_LASTFM_2K [BEGIN_OF_A_WAY]");
const lines = (name: string): Promise<string[][]> => lastfmLines(data, name);

const K = 50;
const GROUP = { within: 3, least: 0.1 };
const friends = (await lines("user_friends.dat.gz")).filter(([a, b]) => Number(a) < Number(b)) as [string, string][];
const histories = numbered((await lines("user_artists.dat.gz")).map(([user, artist]) => [user as string, artist as string]));
const ids = [...histories.keys()];
const exact = exactJaccard(histories, K);
const friendsOf = new Map<string, Set<string>>();
for (const [a, b] of [...friends, ...friends.map(([a, b]) => [b, a] as const)]) friendsOf.set(a, (friendsOf.get(a) ?? new Set()).add(b));

interface User {
  readonly vector: readonly number[] | null;
  readonly fingerprint: bigint | null;
}

async function profiles(client: LoadClient): Promise<Map<string, User>> {
  const users = new Map<string, User>();
  for (const id of ids) {
    const { vector, fingerprint } = JSON.parse((await client.get(`/v1/users/${id}?fields=vector`)).body) as {
      vector: number[] | null;
      fingerprint: string | null;
    };
    users.set(id, { vector, fingerprint: fingerprint === null ? null : BigInt(`0x${fingerprint}`) });
  }
  return users;
}

/** Of the neighbours that are answered: which share of the friends is among them, and what they have in common with who asks. */
async function neighbours(client: LoadClient): Promise<{ recall: number; common: number }> {
  let [recall, asked, common] = [0, 0, 0];
  for (const [id, own] of histories) {
    const answer = JSON.parse((await client.get(`/v1/recall/u2u?user=${id}&limit=${K}`)).body) as { results: { id: string }[] };
    for (const result of answer.results) common += jaccard(own, histories.get(result.id) as Uint32Array) / K;
    const known = friendsOf.get(id);
    if (known === undefined) continue;
    recall += answer.results.filter((result) => known.has(result.id)).length / known.size;
    asked++;
  }
  return { recall: recall / asked, common: common / histories.size };
}

interface Way {
  readonly name: string;
  readonly prepare: (directory: string, env: Record<string, string>) => Promise<unknown>;
  readonly env?: Record<string, string>;
}

async function measure({ name, prepare, env = {} }: Way, results: Results): Promise<void> {
  const directory = await temporaryDirectory("lastfm");
  try {
    await prepare(directory.path, env);
    const server = await KindredServer.start(directory.path, { env });
    const client = new LoadClient(server.url, 8);
    try {
      const users = await profiles(client);
      const random = seededRandom(1);
      const strangers = friends
        .map(() => [ids[random(ids.length)], ids[random(ids.length)]] as [string, string])
        .filter(([a, b]) => a !== b);
      const aucBy = (nearness: (a: User, b: User) => number): number => {
        const score = ([a, b]: [string, string]): number => {
          const [u, v] = [users.get(a), users.get(b)];
          return u && v ? nearness(u, v) : 0;
        };
        return auc(friends.map(score), strangers.map(score));
      };
      const { recall, common } = await neighbours(client);
      const fingerprints = new Map([...users].flatMap(([id, { fingerprint }]) => (fingerprint === null ? [] : [[id, fingerprint]])));
      const groups = grouping(fingerprints, histories, GROUP);
      results.row(
        name,
        round(
          aucBy((a, b) => (a.vector && b.vector ? cosine(a.vector, b.vector) : 0)),
          3,
        ),
        round(
          aucBy((a, b) => (a.fingerprint === null || b.fingerprint === null ? 0 : 64 - hamming(a.fingerprint, b.fingerprint))),
          3,
        ),
        round(recall, 3),
        round(K / ids.length, 3),
        round(common / exact, 3),
        round((100 * groups.users) / ids.length),
        groups.pairs,
        groups.pairs === 0 ? null : round((100 * groups.alike) / groups.pairs),
      );
    } finally {
      client.close();
      await server.stop();
    }
  } finally {
    await directory.remove();
  }
}

const replay = (directory: string, env: Record<string, string>): Promise<unknown> =>
  kindredJson(
    [
      ...["replay", "--from", join(data, "user_artists.dat.gz"), "--format", "tsv", "--map", "user=userID,item=artistID,value=weight"],
      ...["--set", "ts=2011-01-01T00:00:00Z", "--data-dir", directory],
    ],
    env,
  );
const tags = (directory: string, env: Record<string, string>): Promise<unknown> =>
  kindredJson(
    [
      ...["items", "import", "--from", join(data, "user_taggedartists.dat.gz"), "--format", "tsv", "--map", "item=artistID,tags=tagID"],
      ...["--set", "type=artist", "--data-dir", directory],
    ],
    env,
  );

const results = new Results(
  "lastfm-friends",
  "Real friendships against random pairs: does nearness by behaviour find them? In generation 0 nothing is trained.",
  [
    "vectors; keywords",
    "AUC by vector",
    "AUC by fingerprint",
    "recall@50 of friends",
    "by chance",
    "mean Jaccard of the 50 nearest / of the exact ones",
    "users with a neighbour at Hamming < 3, %",
    "such pairs",
    "of them with Jaccard >= .1, %",
  ],
);
const ways: Way[] = [{ name: "generation 0; artists", prepare: replay }];
for (const top of [5, 8, 10])
  ways.push({
    name: `generation 0; the top ${top} tags, as many as named them`,
    prepare: async (directory, env) => {
      await replay(directory, env);
      await tags(directory, env);
    },
    env: { KINDRED_FINGERPRINT__TOP__TAGS: String(top) },
  });
for (const [kind, dims] of [
  ["item2vec", 64],
  ["metapath2vec", 64],
  ["graph", 64],
  ["graph", 128],
] as const)
  ways.push({
    name: `${kind}, d = ${dims}, trained on the state, published; artists`,
    prepare: async (directory, env) => {
      await replay(directory, env);
      const model = join(directory, "model");
      await kindredJson(["train", kind, "--data-dir", directory, "--out", model, "--dims", String(dims), "--threads", "1"], env);
      await kindredJson(["publish", model, "--data-dir", directory], env);
    },
  });
for (const way of ways) if (only === undefined || way.name.startsWith(only)) await measure(way, results);
await results.write();
