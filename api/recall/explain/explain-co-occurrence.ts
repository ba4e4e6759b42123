import type { ItemId } from "../../../schemas/ids.js";
import type { ExplainContext, Explained } from "./explainer.js";
import { enumerate, LISTED, titled } from "./explainer.js";

/** Deep enough for any answer: results are looked up in each seed's own list. */
const DEPTH = 1000;

interface Link {
  readonly id: ItemId;
  readonly score: number;
}

/** The asker's strongest items that a result is found together with. */
export async function explainCoOccurrence({ ask, found, ids, titleOf, typeOf }: ExplainContext): Promise<Explained[]> {
  const links = await linksOf({ ask, found });
  return ids.map((_, i) => {
    const score = found.scores[i]!;
    const through = links.get(found.ordinals[i]!) ?? [];
    const via = through.map(({ id, score: s }) => ({ ...titled(id, titleOf(id)), type: typeOf(id), score: s }));
    const names = via.slice(0, 3).map(({ id, title }) => title ?? id);
    const text =
      names.length === 0 ? "Found in the same profiles as what was met before." : `Who has ${enumerate(names)} often has this too.`;
    const listed = ask.asker.kind === "item" ? via.map(({ id, title }) => ({ ...titled(id, title), contribution: score })) : [];
    return { explanation: { text, items: listed, other: listed.length === 0 ? score : 0, terms: {}, via } };
  });
}

/** For each result the seeds that lead to it, the strongest first. */
async function linksOf({ ask, found }: Pick<ExplainContext, "ask" | "found">): Promise<Map<number, Link[]>> {
  const { readModel, asker } = ask;
  const seeds = asker.seeds(LISTED);
  const liked = [...seeds.ordinals].map((ordinal, i) => ({ ordinal, weight: seeds.weights[i]! })).filter(({ weight }) => weight > 0);
  const names = readModel.itemIds(Uint32Array.from(liked, ({ ordinal }) => ordinal));
  const none = new Uint32Array(0);
  const lists = await Promise.all(
    liked.map(({ ordinal }) => readModel.coOccurring(Uint32Array.of(ordinal), Float32Array.of(1), none, DEPTH)),
  );
  const wanted = new Set(found.ordinals);
  const links = new Map<number, Link[]>();
  lists.forEach(({ ordinals, scores }, s) => {
    ordinals.forEach((ordinal, i) => {
      if (!wanted.has(ordinal)) return;
      const link = { id: names[s]!, score: scores[i]! * liked[s]!.weight };
      links.set(
        ordinal,
        [...(links.get(ordinal) ?? []), link].sort((a, b) => b.score - a.score),
      );
    });
  });
  return links;
}
