import * as fc from "fast-check";
import type { Catalogue } from "../../schemas/catalogue.js";
import type { ItemId } from "../../schemas/ids.js";
import type { LogRecord } from "../../schemas/log-record.js";
import { activate, catalogueOf, erase, event, positioned } from "./fold-fixture.js";

const TAGGED = Array.from({ length: 12 }, (_, i) => ({
  item: `i${i}` as ItemId,
  type: "song",
  tags: [`t${i % 4}`, `t${i % 3}`],
  creators: [`c${i % 5}`],
}));

/** What logs of `aLog` activate: small profiles and rings, other dimensions, with and without decay, top keywords and all of them, tags with weights. */
export const CATALOGUES: Catalogue[] = [
  catalogueOf(1, { profileItems: 8, idempotencyRing: 6 }),
  catalogueOf(
    2,
    {
      profileItems: 10,
      idempotencyRing: 3,
      gridDays: 3,
      halfLifeDays: 10,
      keywords: { weights: {}, top: { tags: 2, creators: 1, items: 0 } },
    },
    TAGGED,
    16,
  ),
  catalogueOf(
    3,
    { profileItems: 9, halfLifeDays: null, keywords: { weights: { items: 1, tags: 0.3 }, top: { tags: 0, creators: 0, items: 0 } } },
    TAGGED,
  ),
  catalogueOf(
    4,
    { keywords: { weights: { tags: 1.3 }, top: { tags: 0, creators: 0, items: 0 } } },
    TAGGED.map((info, i) => ({ ...info, tagWeights: [0.1 + (i % 5), 7] })),
  ),
];

const anEvent = fc
  .record({
    user: fc.integer({ min: 0, max: 4 }),
    item: fc.integer({ min: 0, max: 15 }),
    day: fc.integer({ min: 0, max: 400 }),
    action: fc.constantFrom("like", "play", "skip", "dislike", "unknown"),
    id: fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined }),
    value: fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }), { nil: undefined }),
  })
  .map(({ user, item, day, action, id, value }) =>
    event(`u${user}`, `i${item}`, day, { action, ...(id !== undefined && { id: `e${id}` }), ...(value !== undefined && { value }) }),
  );
const anErasure = fc
  .record({ user: fc.integer({ min: 0, max: 4 }), day: fc.integer({ min: 0, max: 400 }) })
  .map(({ user, day }) => erase(`u${user}`, day));
const anActivation = fc.integer({ min: 1, max: CATALOGUES.length }).map(activate);

/** Any history of five users: events, erasures, activations in the middle. */
export const aLog = fc
  .array(fc.oneof({ weight: 40, arbitrary: anEvent }, { weight: 2, arbitrary: anErasure }, { weight: 4, arbitrary: anActivation }), {
    minLength: 1,
    maxLength: 120,
  })
  .map((records) => positioned([activate(1), ...records] as LogRecord[]));
