import type { UserId } from "../../../schemas/ids.js";
import type { ProfileDetails } from "../../../schemas/ports/admin.js";
import type { ExplainContext, Explained } from "./explainer.js";
import { enumerate, LISTED } from "./explainer.js";

/** Others whose keywords are fetched from the thread that owns the state: a message each. */
const FETCHED = 20;

/** How many bits differ, and which keywords both fingerprints lean towards. */
export async function explainFingerprint({ ask, found, ids, owner }: ExplainContext): Promise<Explained[]> {
  const { asker, readModel } = ask;
  const self = asker.user === undefined ? undefined : readModel.userIds(Uint32Array.of(asker.user))[0];
  const [own, ...others] = await Promise.all(
    [self, ...ids.slice(0, FETCHED)].map((id) => (id === undefined ? undefined : owner.profile(id as UserId))),
  );
  return ids.map((_, i) => {
    const distance = found.distances?.[i] ?? 0;
    const keywords = shared(own, others[i]);
    const both = keywords.length === 0 ? "" : `; both lean towards ${enumerate(keywords)}`;
    const text = `The fingerprints differ in ${distance} of 64 bits${both}.`;
    return { explanation: { text, items: [], other: found.scores[i]!, terms: {}, keywords } };
  });
}

function shared(own: ProfileDetails | undefined, other: ProfileDetails | undefined): string[] {
  const theirs = new Set(other?.keywords.filter(({ weight }) => weight > 0).map(({ keyword }) => keyword));
  const both = own?.keywords.filter(({ keyword, weight }) => weight > 0 && theirs.has(keyword)) ?? [];
  return both.slice(0, LISTED).map(({ keyword }) => keyword);
}
