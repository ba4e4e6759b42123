import Type from "typebox";
import { MAX_BATCH_RECORDS, MAX_UNCOMMITTED } from "./ports/folded-batch.js";

/**
 * The whole configuration: every key with its range, its default and what it means. `kindred.yaml` at the root lists the
 * same keys; `KINDRED_SECTION__SOME_KEY` and flags override it (cli/configuration.ts). Units are in the names.
 */
const closed = { additionalProperties: false } as const;
const integer = (fallback: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ default: fallback, minimum, maximum, description });
const number = (fallback: number, minimum: number, maximum: number, description: string) =>
  Type.Number({ default: fallback, minimum, maximum, description });
const text = (fallback: string, description: string, minLength = 0) =>
  Type.String({ default: fallback, minLength, maxLength: 4096, description });
const choice = <const T extends string[]>(values: T, fallback: T[number], description: string) =>
  Type.Unsafe<T[number]>(Type.Enum(values, { default: fallback, description }));

const DAY_MS = 86_400_000;

const server = Type.Object(
  {
    host: text("127.0.0.1", "Address to listen on. Without `auth.keys` a loopback address only.", 1),
    port: integer(7878, 0, 65_535, "Port to listen on; 0 takes a free one."),
    bodyLimitBytes: integer(8 * 1024 * 1024, 1_024, 1024 ** 3, "Largest request body."),
    maxEventsPerRequest: integer(5_000, 1, 100_000, "Most events in one request."),
  },
  closed,
);

const journal = Type.Object(
  {
    retentionDays: number(
      30,
      0,
      36_500,
      "Records older than this may be cut once they are folded, and catalogues that only they were folded with; 0 keeps all.",
    ),
    maxLagEvents: integer(250_000, 1, 1_000_000_000, "Accepted but not yet folded events above which producers are told to wait (503)."),
    maxPendingBytes: integer(
      64 * 1024 * 1024,
      1_024,
      16 * 1024 ** 3,
      "Bytes waiting for the disk above which producers are told to wait (503).",
    ),
  },
  closed,
);

/** fold.actions where the configuration says nothing: weights by how much they say of a taste. */
export const DEFAULT_ACTIONS = {
  click: 1,
  play: 1,
  finish: 2,
  like: 3,
  collect: 3,
  share: 3,
  comment: 2,
  follow: 3,
  gift: 4,
  skip: -1,
  dislike: -3,
};

/** fold.values where the configuration says nothing: seconds played, amounts given. */
export const DEFAULT_VALUES = { play: { unit: 30, maxScale: 16 }, gift: { unit: 1, maxScale: 16 } };

const valueScale = Type.Object(
  {
    unit: Type.Number({ exclusiveMinimum: 0, maximum: 1e12, description: "The value that doubles the weight." }),
    maxScale: Type.Number({ minimum: 1, maximum: 64, description: "Most that a value multiplies the weight with." }),
  },
  closed,
);

const fold = Type.Object(
  {
    actions: Type.Record(Type.String(), Type.Number({ minimum: -64, maximum: 64 }), {
      default: DEFAULT_ACTIONS,
      description: "Weight of each action, -64 to 64. Entries add to the defaults; an empty one (`share:`) removes its action.",
    }),
    values: Type.Record(Type.String(), valueScale, {
      default: DEFAULT_VALUES,
      description: "How an event's `value` scales its weight, by action: times 1 + log2(1 + value / unit), at most maxScale.",
    }),
    halfLifeDays: number(90, 0, 36_500, "Days of event time after which a weight counts half; 0: never."),
    gridDays: integer(7, 1, 365, "Grid of event time on which decay is applied."),
    profileItems: integer(128, 8, 1_024, "Most items in a user's profile; the weakest leaves."),
    idempotencyRing: integer(32, 0, 1_024, "Event ids remembered per user."),
  },
  closed,
);

const keywordWeight = (of: string) =>
  Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 64, description: `Weight of an item's ${of}.` }));

const fingerprint = Type.Object(
  {
    keywords: Type.Object({ tags: keywordWeight("tags"), creators: keywordWeight("creators"), items: keywordWeight("own id") }, closed),
    top: Type.Object(
      {
        tags: integer(
          5,
          0,
          1_024,
          "A user's strongest tags that count; 0: all. Where tags have weights, 8 groups as many people as 5 do without, and better.",
        ),
        creators: integer(5, 0, 1_024, "A user's strongest creators that count; 0: all."),
        items: integer(0, 0, 1_024, "A user's strongest items that count; 0: all."),
      },
      closed,
    ),
    bucketCap: integer(
      65_536,
      1,
      2 ** 31 - 1,
      "Most users with one 16-bit block in common that a search compares, those who came last; an answer that lacks others is degraded.",
    ),
  },
  closed,
);

const events = Type.Object({ maxFutureMs: integer(DAY_MS, 0, 365 * DAY_MS, "How far in the future an event's `ts` may lie.") }, closed);

const generation0 = Type.Object(
  {
    dims: integer(128, 8, 1_024, "Dimensions of the item vectors that need no training."),
    seed: integer(1, 0, 2 ** 32 - 1, "Seed of those vectors."),
  },
  closed,
);

const retrain = Type.Object(
  {
    everyHours: Type.Number({
      default: 0,
      minimum: 0,
      maximum: 8_760,
      description:
        "Hours between two trainings on what the state holds, each published if it is not worse; 0: none. Of Kafka's nodes, set it at one.",
    }),
    kind: choice(["graph", "item2vec", "metapath2vec"], "graph", "Kind of model."),
    dims: integer(64, 8, 1_024, "Its dimensions."),
    drift: Type.Number({
      default: 0,
      minimum: 0,
      maximum: 1,
      description:
        "Share of the new interactions that must be with items that the served model does not know, or nothing is trained; 0: always.",
    }),
    share: Type.Number({
      default: 0.05,
      exclusiveMinimum: 0,
      maximum: 0.5,
      description: "Share of the interactions, the newest, that a model is not trained on and then judged by.",
    }),
    leastUsers: integer(200, 1, 1_000_000, "Fewer users with something new tell nothing: nothing is published."),
    tolerance: Type.Number({
      default: 0,
      minimum: 0,
      maximum: 1,
      description: "How much less recall@20 than the served model's is let pass, as a share of it.",
    }),
  },
  closed,
);

const models = Type.Object(
  {
    directory: text(
      "",
      "Where copies of published models lie; empty: `models` in `dataDir`. Nodes of Kafka share one; what nobody needs any more is then yours to delete.",
    ),
  },
  closed,
);

const pipeline = Type.Object(
  {
    batchEvents: integer(4_096, 1, MAX_BATCH_RECORDS, "Most events folded into one atomic write."),
    credits: integer(2, 1, MAX_UNCOMMITTED, "Batches that may be under way at once."),
    cacheRows: integer(100_000, 0, 100_000_000, "User rows kept in memory."),
  },
  closed,
);

const index = Type.Object(
  {
    engine: choice(
      ["embedded", "exact", "faiss-node", "milvus"],
      "embedded",
      "Who searches vectors: the graph in this process, an exact scan, the npm package faiss-node (slower, see docs/DECISIONS.md), or a Milvus server (not in this version).",
    ),
    storage: choice(["float32", "float16"], "float32", "How vectors are kept; float16 halves their memory, and rounds scores."),
    ef: integer(128, 1, 10_000, "Breadth of a search to begin with: larger finds more of the true neighbours and takes longer."),
    efLeast: integer(64, 1, 10_000, "ef tunes itself to hold `targetRecall`, but not below this; where it equals efMost, ef is fixed."),
    efMost: integer(1_000, 1, 10_000, "ef tunes itself to hold `targetRecall`, but not above this."),
    targetRecall: number(
      0.95,
      0,
      1,
      "recall@50 that live searches are to have against exact scans: first ef goes up, then a shard is rebuilt.",
    ),
    m: integer(32, 4, 64, "Links per node of the graph."),
    efConstruction: integer(200, 8, 2_000, "Breadth of the search that places a node when the graph is built."),
    shards: integer(1, 1, 64, "Shards that users, and items of a trained model, are spread over; each is rebuilt alone."),
    minGraphRows: integer(10_000, 1, 10_000_000, "Rows from which on a shard gets a graph; below it is scanned exactly."),
    freshLimit: integer(20_000, 1, 10_000_000, "New or moved rows scanned exactly beside the graph before a rebuild is due."),
    rebuildShare: number(0.2, 0.01, 1, "Share of a shard that is new or moved at which it is rebuilt."),
    driftCosine: number(0.9, 0, 1, "A row whose vector is less similar than this to the one in the graph counts as moved."),
    verifyRecall: number(0.9, 0, 1, "recall@k against an exact scan that a new shard must reach to be published."),
    saveIntervalMs: integer(300_000, 1_000, 7 * DAY_MS, "How often the index is saved while it changes."),
  },
  closed,
);

const catalogue = Type.Object(
  {
    minIntervalMs: integer(
      60_000,
      0,
      7 * DAY_MS,
      "Least time between two catalogues, when side information changes all the time. Each is stored as long as the records of its time.",
    ),
  },
  closed,
);

const deadLetters = Type.Object({ limit: integer(100_000, 0, 100_000_000, "Most dead letters kept; the oldest leave.") }, closed);

const kafka = Type.Object(
  {
    brokers: text("", "host:port, comma separated; needed where `source.kind` is kafka."),
    clientId: text("kindred", "Name of this client in the brokers' logs and quotas.", 1),
    groupId: text("kindred", "Consumer group of the updaters; also the prefix of their transactional ids.", 1),
    topics: Type.Object(
      {
        events: text("kindred.events", "Behaviour events, keyed by user.", 1),
        items: text("kindred.items", "Side information, keyed by item; compacted.", 1),
        changelog: text("kindred.changelog", "Rows, compacted: what a lost partition is restored from and recall nodes are fed with.", 1),
        deadLetters: text("kindred.dead-letters", "What could not be folded; compacted.", 1),
        catalogues: text("kindred.catalogues", "Numbered catalogues; compacted.", 1),
        generations: text("kindred.generations", "Generations as they are published; compacted.", 1),
        files: text("kindred.files", "How far files were replayed into the log; compacted.", 1),
      },
      closed,
    ),
    partitions: integer(8, 1, 10_000, "Partitions of the events topic where it has to be created; one that is there is taken as it is."),
    replicationFactor: integer(1, 1, 32, "Copies of the topics that have to be created."),
    format: choice(["registry", "json"], "registry", "Values in Confluent's wire format, or plain JSON."),
    commitIntervalMs: integer(
      40,
      0,
      60_000,
      "Least time between two commits of a partition: longer ones are cheaper, and fresher answers come later.",
    ),
    batchEvents: integer(
      131_072,
      1,
      1_048_576,
      "Most events of one commit while a partition is far behind: rows that change several times are written once.",
    ),
    maxBytesPerPartition: integer(
      65_536,
      1_024,
      100 * 1024 * 1024,
      "Most bytes of one partition that one fetch brings; a batch that is larger comes whole.",
    ),
    sessionTimeoutMs: integer(30_000, 1_000, 1_800_000, "An updater that is not heard of for so long loses its partitions."),
    watchdogMs: integer(60_000, 1_000, 3_600_000, "A partition that is held, behind, and not fetched for so long ends the process."),
    standby: Type.Boolean({
      default: false,
      description: "Whether an updater keeps a warm copy of the partitions that others own, to take them over sooner.",
    }),
    ssl: Type.Object(
      {
        enabled: Type.Boolean({ default: false, description: "Whether brokers are talked to over TLS." }),
        caFile: text("", "PEM file of the authority that signed the brokers' certificates; empty: those that Node.js knows."),
        certFile: text("", "PEM file of this client's own certificate."),
        keyFile: text("", "PEM file of its key."),
      },
      closed,
    ),
    sasl: Type.Object(
      {
        mechanism: choice(["none", "plain", "scram-sha-256", "scram-sha-512"], "none", "How this client says who it is."),
        username: text("", "Its name."),
        password: text("", "Its password; better given as KINDRED_KAFKA__SASL__PASSWORD than in a file."),
      },
      closed,
    ),
  },
  closed,
);

const registry = Type.Object(
  {
    url: text("", "Schema registry; needed where `kafka.format` is registry."),
    username: text("", "Name for basic authentication; empty: none."),
    password: text("", "Its password; better given as KINDRED_REGISTRY__PASSWORD than in a file."),
    caFile: text("", "PEM file of the authority that signed the registry's certificate."),
  },
  closed,
);

const authKey = Type.Object(
  { key: Type.String({ minLength: 16, maxLength: 256 }), scopes: Type.Array(Type.Enum(["events", "recall", "admin"]), { minItems: 1 }) },
  closed,
);

export const ConfigSchema = Type.Object(
  {
    server,
    dataDir: text("./data", "Where everything durable lies.", 1),
    source: Type.Object(
      {
        kind: choice(["journal", "kafka"], "journal", "Where events come from: the journal in `dataDir`, or Kafka topics."),
      },
      closed,
    ),
    journal,
    fold,
    fingerprint,
    events,
    generation0,
    retrain,
    models,
    pipeline,
    index,
    catalogue,
    deadLetters,
    kafka,
    registry,
    redis: Type.Object({ url: text("", "Cache shared between recall nodes; empty: none. Not in this version.") }, closed),
    auth: Type.Object(
      {
        keys: Type.Array(authKey, {
          default: [],
          description: "Keys of callers: { key, scopes: [events, recall, admin] }. Not in this version.",
        }),
      },
      closed,
    ),
    privacy: Type.Object(
      { pseudonymKey: text("", "Secret that user ids are replaced with; empty: ids are kept. Not in this version.") },
      closed,
    ),
    logging: Type.Object(
      { level: choice(["trace", "debug", "info", "warn", "error", "silent"], "info", "Least severe level logged.") },
      closed,
    ),
  },
  closed,
);

type DeepReadonly<T> = T extends (infer E)[]
  ? readonly DeepReadonly<E>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** The validated, deep-frozen configuration. */
export type Config = DeepReadonly<Type.Static<typeof ConfigSchema>>;
