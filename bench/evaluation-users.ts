/**
 * Do the figures of u2u and of friends agree with what others took on Last.fm? The 50 users with the largest Jaccard are the same whoever
 * looks for them; random indexing is a model that needs no training.
 *
 *   npm run -s bench -- evaluation-users DIR_OF_LASTFM_2K
 */
import { evaluateModels } from "../models/evaluation/evaluate-models.js";
import { leaveLastOut, splitAtTime } from "../models/evaluation/splits.js";
import { RandomIndexing } from "../models/item-vectors/random-indexing.js";
import type { ItemId } from "../schemas/ids.js";
import type { ItemModel } from "../schemas/model.js";
import { lastfmLines } from "./harness/lastfm.js";
import { Results, round } from "./harness/results.js";

const data = process.argv[2];
if (data === undefined) throw new Error("usage: npm run -s bench -- evaluation-users DIR_OF_LASTFM_2K");
const lines = (name: string): Promise<string[][]> => lastfmLines(data, name);

const plays = (await lines("user_artists.dat.gz")).map(([user, item]) => ({ user: user!, item: item as ItemId, ts: 0 }));
// Friends and neighbours are asked of whole histories, as in the figures that others took; what u2i makes of the test is not looked at.
const whole = splitAtTime(plays, 1).train;
const { test } = leaveLastOut(plays);
const friendships = (await lines("user_friends.dat.gz")).map(([a, b]) => [a!, b!] as const);

const randomIndexing = (dims: number): ItemModel => {
  const indexing = new RandomIndexing(dims, 1);
  const values = Float32Array.from(whole.items.flatMap((item) => [...indexing.vector(item)]));
  return { kind: "random indexing", items: whole.items, input: { dims, values }, output: { dims, values }, score: "dot" };
};
const DIMS = [64, 128, 256];
const models = DIMS.map((dims) => ({ name: `random indexing, ${dims} dimensions`, model: randomIndexing(dims) }));
const report = await evaluateModels(models, whole, test, { neighbourUsers: whole.users.length, friendships, rounds: 0 });

const results = new Results(
  "evaluation-users",
  `Neighbours of ${report.split.users.toLocaleString("en-US")} users of Last.fm by what they listen to, ${report.models[0]!.friends!.pairs.toLocaleString("en-US")} pairs of friends held against as many of strangers.`,
  ["by", "mean Jaccard of the 50 nearest", "AUC of friends", "recall@50 of friends"],
);
results.row("exact Jaccard", round(report.exactNeighbours["jaccard@50"]!, 4), null, null);
for (const { name, u2u, friends } of report.models)
  if (u2u) results.row(name, round(u2u["jaccard@50"]!, 4), round(friends!.auc!, 4), round(friends!["recall@50"]!, 4));
await results.write();
