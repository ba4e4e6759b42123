import type { ItemId } from "../../schemas/ids.js";
import { sampleOf } from "../seeded-random.js";
import type { NamedModel } from "./measure-model.js";
import { includes, type Queries, rankAll } from "./rank-all.js";
import { itemsToItems, type Ranker, usersToItems } from "./ranker.js";
import { SEGMENTS, segmentsOf } from "./segments.js";
import { listenersOf, type SharedRows } from "./shared-rows.js";

export interface Listed {
  readonly title: string;
  /** It is what the test says; of items near an item: never. */
  readonly hit: boolean;
}

/** What each model says to one question, for people to look at. */
export interface CaseStudy {
  readonly title: string;
  /** What the question says: titles of the history, or nothing. */
  readonly given: readonly string[];
  /** How many were given: `given` has the first few. */
  readonly givenCount: number;
  readonly lists: readonly { readonly model: string; readonly items: readonly Listed[] }[];
}

export interface CaseOptions {
  /** Tested users, drawn by the seed: 3. */
  readonly users?: number;
  /** Items of each third, the most popular first: 1. */
  readonly items?: number;
  /** Length of lists: 10. */
  readonly k?: number;
  readonly seed?: number;
  /** The id where it has no title. */
  readonly titleOf?: (item: ItemId) => string | undefined;
}

/** Of a history: enough to see what it is about. */
const GIVEN = 12;

interface Question {
  readonly title: string;
  readonly rows: Uint32Array;
  readonly masked: Uint32Array;
  readonly wanted: Uint32Array;
}

/** Lists with names, of a few users and a few items: figures say which model is better, these say what it does. */
export async function caseStudies(
  models: readonly NamedModel[],
  shared: SharedRows,
  { users = 3, items = 1, k = 10, seed = 1, titleOf = () => undefined }: CaseOptions = {},
): Promise<CaseStudy[]> {
  const title = (row: number): string => titleOf(shared.items[row]!) ?? shared.items[row]!;
  const ofUsers = userQuestions(shared, users, seed);
  const ofItems = itemQuestions(shared, items, title);
  const answers = await Promise.all(
    models.map(async ({ model }) => [
      ...(await listsOf(usersToItems(model, shared), ofUsers, k)),
      ...(await listsOf(itemsToItems(model, shared), ofItems, k)),
    ]),
  );
  return [...ofUsers, ...ofItems].map((question, q) => ({
    title: question.title,
    given: Array.from(question.rows.subarray(0, GIVEN), title),
    givenCount: question.rows.length,
    lists: models.map(({ name }, m) => ({
      model: name,
      items: answers[m]![q]!.map((row) => ({ title: title(row), hit: includes(question.wanted, row) })),
    })),
  }));
}

function userQuestions({ users, tested, histories, wanted }: SharedRows, count: number, seed: number): Question[] {
  return Array.from(sampleOf(tested.length, count, seed), (place) => {
    const history = histories[tested[place]!]!;
    return { title: `for ${users[tested[place]!]}`, rows: history, masked: history, wanted: wanted[place]! };
  });
}

function itemQuestions(shared: SharedRows, count: number, title: (row: number) => string): Question[] {
  const listeners = listenersOf(shared);
  const segments = segmentsOf(listeners);
  return SEGMENTS.flatMap((name, segment) => {
    const rows = Uint32Array.from(listeners.keys()).filter((row) => segments[row] === segment && listeners[row]! > 0);
    const popular = rows.sort((a, b) => listeners[b]! - listeners[a]! || a - b).subarray(0, count);
    return Array.from(popular, (row) => {
      const own = Uint32Array.of(row);
      return { title: `near ${title(row)} (${name}, ${listeners[row]} users)`, rows: own, masked: own, wanted: new Uint32Array(0) };
    });
  });
}

async function listsOf(ranker: Ranker, questions: readonly Question[], k: number): Promise<number[][]> {
  const lists: number[][] = [];
  const queries: Queries = {
    count: questions.length,
    fill: (q, target, at) => ranker.pool(questions[q]!.rows, target, at),
    masked: (q) => questions[q]!.masked,
  };
  await rankAll(queries, ranker.candidates, { k }, (q, rows, count) => {
    lists[q] = [...rows.subarray(0, count)];
  });
  return lists;
}
