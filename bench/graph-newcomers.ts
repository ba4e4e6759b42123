/**
 * Users never trained on: every fifth user of a split is kept out of training whole; recall@20 of the rest of their history (train and test)
 * after 1, 3 and 10 random events of it, by one model. Beside it the spectrum alone, and popularity.
 *
 *   npm run -s bench -- graph-newcomers DIR_OF_GOWALLA
 */
import { join } from "node:path";
import { trainGraph } from "../models/training/graph.js";
import { popularityOf, readHistories } from "../models/training-set/histories.js";
import type { ItemModel } from "../schemas/model.js";
import { coldUsers } from "./harness/cold-users.js";
import { Results, round } from "./harness/results.js";

const data = process.argv[2];
if (data === undefined) throw new Error("usage: npm run -s bench -- graph-newcomers DIR_OF_GOWALLA");
const [train, test] = [await readHistories(join(data, "train.txt.gz")), await readHistories(join(data, "test.txt.gz"))];
const users = coldUsers(train, 4, test);
const AFTER = [1, 3, 10];

const results = new Results(
  "graph-newcomers",
  "Users never trained on, d = 128: recall@20 of the rest of their history after their first events",
  ["model", ...AFTER.map((events) => `after ${events}`), "users after 1 / 3 / 10"],
);

async function row(name: string, model: ItemModel): Promise<void> {
  const scores = [];
  for (const events of AFTER) scores.push(await users.score(model, events));
  results.row(name, ...scores.map(({ recall }) => round(recall, 4)), scores.map(({ users: count }) => count).join(" / "));
}

const popularity: ItemModel = {
  kind: "popularity",
  items: users.warm.items,
  input: { dims: 1, values: new Float32Array(users.warm.items.length).fill(1) },
  output: { dims: 1, values: Float32Array.from(popularityOf(users.warm)) },
  score: "dot",
};
await row("popularity", popularity);
await row(
  "the spectrum alone",
  (await trainGraph({ histories: users.warm }, { threads: 1, epochs: 0, inputSmoothing: 0, inputSmoothingEach: 0 })).model,
);
await row("graph, defaults", (await trainGraph({ histories: users.warm }, { threads: 1 })).model);
await results.write();
