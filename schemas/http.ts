import Type from "typebox";
import { MAX_ID_LENGTH } from "./ids.js";

/**
 * What travels over HTTP: bodies, parameters and answers. One schema validates, serialises and documents.
 * Times are RFC 3339 in UTC; a position is the opaque token of `POST /v1/events`.
 */

// Type lists instead of unions: a union costs the serialiser a validation per value.
const Nullable = (type: "string" | "number" | "integer", description: string) =>
  Type.Unsafe<string | null>({ type: [type, "null"], description });
const NullableInteger = (description: string) => Type.Unsafe<number | null>({ type: ["integer", "null"], description });
const OneOf = <const Values extends readonly string[]>(values: Values, description: string) =>
  Type.Unsafe<Values[number]>({ type: "string", enum: [...values], description });
const list = { additionalProperties: false } as const;

export const Id = Type.String({ minLength: 1, maxLength: MAX_ID_LENGTH });
export const PositionToken = Type.String({ description: "Opaque token of how far a log goes; may span partitions" });
const Score = Type.Number();

// ---- Problems ----

/** RFC 9457 problem details; `code` is one of docs/ERRORS.md. */
export const Problem = Type.Object(
  {
    type: Type.String({ description: "URI reference that names the kind of problem" }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    instance: Type.String({ description: "The path that was asked for" }),
    code: Type.String({ description: "Stable code; docs/ERRORS.md lists them" }),
    requestId: Type.String(),
  },
  { title: "Problem" },
);

// ---- Events ----

/** As documented to producers. What is taken or refused is decided event by event, by `parseEvent`. */
export const EventBody = Type.Object(
  {
    user: Id,
    item: Type.String({ minLength: 1, maxLength: MAX_ID_LENGTH, description: "`song:42` gives the type `song` unless `type` is set" }),
    action: Type.String({
      description: "One of the configured actions: click, play, finish, like, collect, share, comment, follow, gift, skip, dislike",
    }),
    ts: Type.Unsafe<string | number>({ type: ["string", "number"], description: "RFC 3339 or epoch milliseconds" }),
    id: Type.Optional(
      Type.String({ minLength: 1, maxLength: 64, description: "Idempotency key: counts once per user within a bounded window" }),
    ),
    type: Type.Optional(Type.String()),
    scene: Type.Optional(Type.String()),
    value: Type.Optional(Type.Number({ minimum: 0, description: "Seconds played, amount given" })),
  },
  { title: "Event" },
);

/** Only the frame is checked as a whole: a bad event is refused alone. */
export const EventsBody = Type.Object({
  events: Type.Array(Type.Unsafe<unknown>({ title: "Event", description: "See the schema Event" })),
});

export const Rejected = Type.Object({
  index: Type.Integer({ minimum: 0, description: "Place in the request, from 0; blank lines of NDJSON are not counted" }),
  code: Type.String(),
  message: Type.String(),
});

export const EventsAnswer = Type.Object({
  accepted: Type.Integer({ description: "Durable from now on" }),
  rejected: Type.Unsafe<readonly Type.Static<typeof Rejected>[]>(Type.Array(Rejected)),
  position: PositionToken,
});

// ---- Items ----

const Labels = Type.Unsafe<readonly string[]>(Type.Array(Type.String()));
const itemFields = {
  type: Type.Optional(Type.String({ maxLength: MAX_ID_LENGTH, description: "From the id's prefix where it is left out" })),
  title: Type.Optional(Type.String({ maxLength: 512 })),
  creators: Type.Optional(Labels),
  tags: Type.Optional(Labels),
  tagWeights: Type.Optional(
    Type.Unsafe<readonly number[]>(
      Type.Array(Type.Number(), { description: "None, or one above 0 for each of tags: how strongly it holds" }),
    ),
  ),
  scene: Type.Optional(Type.String()),
};

/** As documented; `parseItemInfo` decides. */
export const ItemBody = Type.Unsafe<Record<string, unknown>>(
  Type.Object({ item: Type.Optional(Id), ...itemFields }, { title: "ItemInfo" }),
);
export const ItemsBody = Type.Object({
  items: Type.Array(Type.Unsafe<unknown>({ title: "ItemInfo", description: "`item` and its side information" })),
});
export const ItemParams = Type.Object({ item: Id });
export const ItemInfoAnswer = Type.Object({ item: Type.String(), ...itemFields });
export const ItemsAnswer = Type.Object({ accepted: Type.Integer(), rejected: Type.Array(Rejected) });
export const ItemAnswer = Type.Object({
  item: Type.String(),
  ...itemFields,
  users: Type.Integer({ description: "Users whose profile holds the item now" }),
});

// ---- Recall ----

export const AsOf = Type.Object({
  position: PositionToken,
  eventTime: Nullable("string", "Newest event time folded; null before the first event"),
});

export const Source = Type.Object({
  method: Type.String({ description: "vector, fingerprint, items-of-neighbors, co-occurrence, popular, recent" }),
  score: Type.Optional(Score),
  distance: Type.Optional(Type.Integer({ description: "Hamming distance of the fingerprints, 0..64" })),
  rank: Type.Integer({ minimum: 1 }),
});

export const Explanation = Type.Object({
  text: Type.String(),
  items: Type.Array(Type.Object({ id: Type.String(), title: Type.Optional(Type.String()), contribution: Type.Number() })),
  other: Type.Number({ description: "Sum of the contributions not listed: listed and other add up to the score of the source `vector`" }),
  terms: Type.Record(Type.String(), Type.Number(), { description: "Fusion, discounts, diversity" }),
  via: Type.Optional(
    Type.Array(Type.Object({ id: Type.String(), type: Type.String(), title: Type.Optional(Type.String()), score: Score }), {
      description: "The neighbours or items that the result came through",
    }),
  ),
  keywords: Type.Optional(Type.Array(Type.String(), { description: "Keywords that both fingerprints count" })),
});

export const RecallResult = Type.Object({
  id: Type.String(),
  type: Type.String({ description: "`user`, or the item's type" }),
  score: Score,
  sources: Type.Array(Source),
  explanation: Type.Optional(Explanation),
});

export const RecallAnswer = Type.Object(
  {
    requestId: Type.String(),
    scenario: Type.String(),
    mode: Type.String({ description: "u2u, u2i, i2i or u2u2i" }),
    variant: Type.String(),
    generation: Type.Integer(),
    rung: Type.String({ description: "Step of the cold-start ladder that answered: vector, fingerprint, session, co-occurrence, popular" }),
    degraded: Type.Boolean({ description: "Cut short by a deadline, or a hot fingerprint bucket was cut at its cap: more may be near" }),
    fresh: Type.Boolean({ description: "False when `after` was not reached within `waitMs`" }),
    asOf: AsOf,
    tookMs: Type.Number(),
    results: Type.Array(RecallResult),
  },
  { title: "RecallAnswer" },
);
/** One answer of many: whose it is, and the answer. */
const RecallAnswerOf = Type.Object({
  user: Type.Optional(Type.String({ description: "Who asked, for scenarios of users" })),
  item: Type.Optional(Type.String({ description: "What was asked from, for i2i" })),
  ...RecallAnswer.properties,
});
export const RecallAnswers = Type.Object({ results: Type.Array(RecallAnswerOf) }, { title: "RecallAnswers" });

const recallFields = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 50 })),
  explain: Type.Optional(Type.Boolean({ default: false })),
  after: Type.Optional(Type.String({ description: "A position of `POST /v1/events`: the answer includes those events" })),
  waitMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000, default: 1000 })),
  variant: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
};

export const ScenarioParams = Type.Object({ scenario: Type.String() });
export const RecallQuery = Type.Object({ user: Type.Optional(Id), item: Type.Optional(Id), ...recallFields }, list);
export const RecallPostQuery = Type.Object(recallFields, list);
/** Exactly one of `users`, `items`, `events`. */
export const RecallBody = Type.Object(
  {
    users: Type.Optional(Type.Array(Id, { minItems: 1 })),
    items: Type.Optional(Type.Array(Id, { minItems: 1 })),
    events: Type.Optional(
      Type.Array(
        Type.Unsafe<Record<string, unknown>>({ type: "object", description: "See the schema Event; `user` and `ts` may be left out" }),
        { minItems: 1 },
      ),
    ),
    ...recallFields,
  },
  list,
);
export type RecallOptions = Type.Static<typeof RecallPostQuery>;

// ---- Users ----

export const UserParams = Type.Object({ user: Id });
export const UserQuery = Type.Object(
  {
    fields: Type.Optional(OneOf(["vector"], "`vector` adds the vector")),
    top: Type.Optional(Type.Integer({ minimum: 0, maximum: 1024, default: 20, description: "How many of `topItems`" })),
  },
  list,
);
export const UserAnswer = Type.Object({
  user: Type.String(),
  fingerprint: Nullable("string", "16 hex digits; null while no keyword counted"),
  events: Type.Integer(),
  topItems: Type.Array(Type.Object({ id: Type.String(), title: Type.Optional(Type.String()), weight: Type.Number() })),
  updatedAt: Type.String({ description: "Newest event time" }),
  position: PositionToken,
  generation: Type.Integer(),
  vector: Type.Optional(
    Type.Unsafe<number[] | null>({
      type: ["array", "null"],
      items: { type: "number" },
      description: "Of length 1; null while nothing was pooled",
    }),
  ),
});

export const NeighborsQuery = Type.Object(
  {
    by: Type.Optional(OneOf(["vector", "simhash"], "Cosine of pooled vectors, or Hamming distance of fingerprints; vector where left out")),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 50 })),
    maxDistance: Type.Optional(Type.Integer({ minimum: 0, maximum: 64, default: 2, description: "Of `by=simhash`" })),
  },
  list,
);
export const UserNeighborsAnswer = Type.Object({
  user: Type.String(),
  by: OneOf(["vector", "simhash"], "What was compared"),
  generation: Type.Integer(),
  asOf: AsOf,
  truncated: Type.Boolean({ description: "A hot bucket was cut at its cap, or a deadline cut the search: more may be near" }),
  results: Type.Array(Type.Object({ id: Type.String(), score: Type.Optional(Score), distance: Type.Optional(Type.Integer()) })),
});
export const ItemNeighborsQuery = Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 50 })) }, list);
export const ItemNeighborsAnswer = Type.Object({
  item: Type.String(),
  by: Type.String({ description: "vector, or co-occurrence where no trained model has one of this item" }),
  generation: Type.Integer(),
  asOf: AsOf,
  results: Type.Array(Type.Object({ id: Type.String(), type: Type.String(), score: Score })),
});

const PLACES = ["log", "state", "read-model", "index"] as const;
export const ErasureAnswer = Type.Object(
  {
    user: Type.String(),
    erasedAt: Type.String({ description: "Events up to here never count again, wherever they come from" }),
    position: PositionToken,
    complete: Type.Boolean({
      description:
        "Nothing reads the user any more in any place listed; false when the erasure is durable but was not applied within the wait. Files follow soon after: those of the state by compaction, those of the index with their next save",
    }),
    removed: Type.Array(
      Type.Object({
        where: OneOf(PLACES, "The part that held it"),
        what: Type.String(),
        removed: Type.Boolean({ description: "True when nothing of the user is there any more" }),
      }),
      { description: "What was there before; empty for someone of whom nothing was known" },
    ),
    nothingIn: Type.Array(OneOf(PLACES, "A part that was looked at"), { description: "Parts that held nothing of the user before" }),
  },
  { title: "ErasureReceipt" },
);

// ---- State and administration ----

export const StateHashAnswer = Type.Object({
  hash: Type.String({ description: "32 hex digits" }),
  rows: Type.Integer(),
  position: PositionToken,
  catalogue: Type.Integer(),
  migrating: Type.Boolean({ description: "Some rows are still computed with an earlier catalogue" }),
});

export const ProfileAnswer = Type.Object({
  user: Type.String(),
  fingerprint: Nullable("string", "16 hex digits"),
  events: Type.Integer(),
  updatedAt: Type.String(),
  position: PositionToken,
  catalogue: Type.Integer(),
  totalWeight: Type.Number(),
  items: Type.Array(Type.Object({ item: Type.String(), weight: Type.Number(), ts: Type.String() })),
  keywords: Type.Array(Type.Object({ keyword: Type.String(), weight: Type.Number() })),
  accumulators: Type.Array(Type.Number()),
});

export const VerifyAnswer = Type.Object({
  ok: Type.Boolean(),
  rows: Type.Integer(),
  storedHash: Type.String(),
  recomputedHash: Type.String(),
  faultCount: Type.Integer(),
  faults: Type.Array(Type.Object({ user: Type.String(), field: Type.String() }), { description: "At most 100" }),
});

export const DeadLettersQuery = Type.Object(
  {
    after: Type.Optional(Type.Integer({ minimum: 0, description: "Number of the last one seen" })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
  },
  list,
);
export const DeadLettersAnswer = Type.Object({
  deadLetters: Type.Array(
    Type.Object({
      number: Type.Integer(),
      code: Type.String(),
      message: Type.String(),
      origin: Type.String(),
      at: Type.String(),
      original: Type.String(),
    }),
  ),
});
// ---- Backfills of files ----

const FILE_ROWS = { minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;
/** A line that was refused before it was sent. */
const RefusedLineBody = Type.Object(
  {
    code: Type.String({ maxLength: 64, description: "A code of the error table" }),
    message: Type.String({ maxLength: 4096 }),
    origin: Type.String({ maxLength: 256 }),
    original: Type.String({ maxLength: 65_536 }),
    user: Type.Optional(Id),
    raw: Type.Optional(Type.Unsafe<unknown>({ description: "What was read from the line" })),
  },
  list,
);
const fileProgress = {
  rowsRead: Type.Integer({ description: "Rows taken from the file so far, also those that were rejected" }),
  events: Type.Integer(),
  rejected: Type.Integer(),
  done: Type.Boolean({ description: "The whole file has been read" }),
  run: Type.Integer({ description: "How many times it was begun" }),
};

export const FileParams = Type.Object({ hash: Type.String({ pattern: "^[0-9a-f]{64}$", description: "SHA-256 of the file's content" }) });
export const FileProgressAnswer = Type.Object({ ...fileProgress, position: PositionToken });
export const FileSliceBody = Type.Object(
  {
    run: Type.Integer({ ...FILE_ROWS, minimum: 1, description: "As in the progress; one more to begin the file anew where it was done" }),
    after: Type.Integer({ ...FILE_ROWS, description: "Rows of the file before these" }),
    rows: Type.Integer({ ...FILE_ROWS, maximum: 1_000_000, description: "How many these are, also those that are of no interest" }),
    events: Type.Array(Type.Unsafe<unknown>({ title: "Event", description: "See the schema Event" })),
    refused: Type.Array(RefusedLineBody),
    done: Type.Boolean({ description: "The file ends with these rows" }),
  },
  list,
);
export const FileSliceAnswer = Type.Object({
  taken: Type.Boolean({ description: "False: other rows come next, see the progress; nothing was taken" }),
  progress: Type.Object(fileProgress),
  position: PositionToken,
});
/** Exactly one of `all`, `repairs`. */
export const ReplayBody = Type.Object(
  {
    all: Type.Optional(Type.Literal(true)),
    repairs: Type.Optional(
      Type.Array(Type.Object({ number: Type.Integer(), event: Type.Unsafe<unknown>({ description: "The repaired event" }) }, list), {
        minItems: 1,
        maxItems: 1000,
      }),
    ),
  },
  list,
);
export const ReplayAnswer = Type.Object({ replayed: Type.Integer(), failed: Type.Integer(), position: PositionToken });

export const StatsAnswer = Type.Object({
  users: Type.Integer(),
  items: Type.Integer(),
  fingerprints: Type.Integer(),
  memoryBytes: Type.Integer(),
  staleBandEntries: Type.Integer(),
  largestBucket: Type.Integer(),
  bucketsOverCap: Type.Integer(),
  vectors: Type.Integer(),
  shards: Type.Array(Type.Object({ shard: Type.String(), rows: Type.Integer() })),
});

// ---- Generations, scenarios, health ----

export const GenerationParams = Type.Object({ id: Type.Integer({ minimum: 0 }) });
export const PublishBody = Type.Object(
  {
    folder: Type.String({
      minLength: 1,
      maxLength: 4096,
      description: "Absolute path of a model folder, as the server sees it. It is copied: it may go afterwards.",
    }),
  },
  list,
);
export const GenerationsAnswer = Type.Object({
  active: Type.Integer(),
  previous: NullableInteger("What answered before: where a roll-back goes"),
  next: NullableInteger("What becomes active as soon as it can"),
  generations: Type.Array(
    Type.Object({
      id: Type.Integer(),
      dims: Type.Integer(),
      metric: Type.String(),
      rows: Type.Integer({ description: "Users with a vector" }),
      items: Type.Integer({ description: "Items with an output vector; 0 where the model has none: u2i and i2i go by co-occurrence" }),
      active: Type.Boolean(),
      kind: Type.String(),
      state: OneOf(
        ["pooling", "building", "ready", "active"],
        "pooling: every user is pooled anew; building: shards are built and verified; ready: it may be activated. New events are applied to all of them",
      ),
      pooled: Type.Number({ description: "Share of the users that are pooled, 0..1" }),
      folder: Nullable("string", "Name of the server's copy of the model"),
      publishedAt: Nullable("string", "null: it needs no model"),
    }),
  ),
});
export const PublishedAnswer = Type.Object({
  id: Type.Integer({ description: "The generation's number" }),
  generations: GenerationsAnswer,
});
export const ScenariosAnswer = Type.Object({
  scenarios: Type.Array(
    Type.Object({
      name: Type.String(),
      mode: Type.String(),
      needs: OneOf(["user", "item"], "The parameter that it is asked with"),
      ladder: Type.Array(Type.String(), { description: "Rungs in the order tried" }),
      builtIn: Type.Boolean(),
    }),
  ),
});
export const HealthAnswer = Type.Object({ status: Type.String() });
