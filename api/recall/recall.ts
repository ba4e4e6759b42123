import type { Static } from "typebox";
import type { RecallAnswer, RecallResult } from "../../schemas/http.js";
import type { ItemId, UserId } from "../../schemas/ids.js";
import type { ResolvedParts } from "../server-parts.js";
import { explainCoOccurrence } from "./explain/explain-co-occurrence.js";
import { explainFingerprint } from "./explain/explain-fingerprint.js";
import { explainItemsAlike } from "./explain/explain-items-alike.js";
import { explainItemsByVector } from "./explain/explain-items-by-vector.js";
import { explainItemsOfNeighbors } from "./explain/explain-items-of-neighbors.js";
import { explainPopular } from "./explain/explain-popular.js";
import { explainVector } from "./explain/explain-vector.js";
import type { ExplainContext, Explainer } from "./explain/explainer.js";
import type { ItemInfos } from "./item-infos.js";
import type { Ask, Asker, Found, Method, RecallStep, Rung } from "./recall-step.js";
import type { Scenario } from "./scenarios.js";

type Answer = Static<typeof RecallAnswer>;
type Result = Static<typeof RecallResult>;

/** One recall as asked, with what was read before its search began. */
export interface RecallRequest {
  readonly scenario: Scenario;
  readonly asker: Asker;
  readonly ask: Ask;
  readonly explain: boolean;
  readonly variant: string;
  readonly requestId: string;
  readonly fresh: boolean;
  readonly asOf: Answer["asOf"];
  /** performance.now() when the request came, its wait for `after` included. */
  readonly cameAt: number;
}

const EXPLAINERS: Readonly<Record<Method, Explainer>> = {
  vector: (context) => explainerOfVectors(context)(context),
  fingerprint: explainFingerprint,
  "items-of-neighbors": explainItemsOfNeighbors,
  "co-occurrence": explainCoOccurrence,
  popular: explainPopular,
  recent: explainPopular,
};

/** Users near the asker, items scored against it, or items near an item. */
function explainerOfVectors({ found, ask }: ExplainContext): Explainer {
  if (found.of === "users") return explainVector;
  return ask.asker.kind === "item" ? explainItemsAlike : explainItemsByVector;
}

/** Climbs down the scenario's ladder and answers with the first step that finds anything. */
export async function recall(parts: ResolvedParts, infos: ItemInfos, request: RecallRequest): Promise<Answer> {
  const began = performance.now();
  const { scenario, ask, asker } = request;
  const { step, found } = await firstFound(scenario.ladder, ask);
  const plain = found === null ? [] : toResults(found, ask, infos);
  const results = request.explain && found !== null ? await explainAll(plain, found, parts, infos, ask) : plain;
  const now = performance.now();
  parts.metrics.observeRecall(scenario.name, (now - began) / 1000);
  return {
    requestId: request.requestId,
    scenario: scenario.name,
    mode: scenario.mode,
    variant: request.variant,
    generation: ask.space.users.generation,
    rung: rungOf(step, asker),
    degraded: found?.degraded ?? false,
    fresh: request.fresh,
    asOf: request.asOf,
    tookMs: Math.round((now - request.cameAt) * 1000) / 1000,
    results: results.filter(({ id }) => id !== ""),
  };
}

/** A session stands on its own rung, by whichever step it was answered; what is popular is so without any session. */
const rungOf = (step: RecallStep, asker: Asker): Rung => (asker.kind === "session" && step.rung !== "popular" ? "session" : step.rung);

/** When nothing is found at all, the last step has the word. */
async function firstFound(ladder: readonly RecallStep[], ask: Ask): Promise<{ step: RecallStep; found: Found | null }> {
  for (const step of ladder) {
    const found = await step.find(ask);
    if (found !== null && found.ordinals.length > 0) return { step, found };
  }
  return { step: ladder.at(-1)!, found: null };
}

function toResults(found: Found, { readModel }: Ask, infos: ItemInfos): Result[] {
  const { ordinals, scores, distances, method } = found;
  const source = (i: number): Result["sources"] => [
    distances === undefined ? { method, score: scores[i]!, rank: i + 1 } : { method, distance: distances[i]!, rank: i + 1 },
  ];
  // Who was erased between search and answer has the empty id, and is left out at the end.
  if (found.of === "users")
    return readModel.userIds(ordinals).map((id, i) => ({ id, type: "user", score: scores[i]!, sources: source(i) }));
  const info = readModel.itemInfoJson(ordinals);
  return readModel.itemIds(ordinals).map((id, i) => ({ id, type: infos.typeOf(id, info[i]!), score: scores[i]!, sources: source(i) }));
}

async function explainAll(
  results: readonly Result[],
  found: Found,
  parts: ResolvedParts,
  infos: ItemInfos,
  ask: Ask,
): Promise<readonly Result[]> {
  const jsonOf = (item: ItemId) => ask.readModel.item(item)?.infoJson ?? null;
  const explained = await EXPLAINERS[found.method]({
    ask,
    found,
    ids: results.map(({ id }) => id as UserId | ItemId),
    owner: parts.owner,
    titleOf: (item) => infos.of(jsonOf(item)).title,
    typeOf: (item) => infos.typeOf(item, jsonOf(item)),
  });
  const answered = results.map((result, i): Result => {
    const { explanation, score } = explained[i]!;
    const moved = score === undefined ? {} : { score, sources: [{ ...result.sources[0]!, score }] };
    return { ...result, ...moved, explanation };
  });
  return explained.some(({ score }) => score !== undefined) ? rankAnew(answered) : answered;
}

/** Scores of now, of vectors that moved since the search: who is not alike any more is not answered. */
function rankAnew(results: readonly Result[]): readonly Result[] {
  const alike = results.filter(({ score }) => score > 0).sort((a, b) => b.score - a.score);
  return alike.map((result, i) => ({ ...result, sources: [{ ...result.sources[0]!, rank: i + 1 }] }));
}
