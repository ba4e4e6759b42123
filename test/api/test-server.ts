import type { InjectOptions } from "fastify";
import { afterAll, afterEach, beforeAll } from "vitest";
import { createMetrics, type Metrics } from "../../api/metrics.js";
import { buildServer } from "../../api/server.js";
import type { Api, ServerParts } from "../../api/server-parts.js";
import { KindredError } from "../../schemas/errors.js";
import type { Generation, Offset, Partition } from "../../schemas/ids.js";
import type { DeadLetters } from "../../schemas/ports/admin.js";
import { type FileIntake, type FileSlice, NEVER_BEGUN } from "../../schemas/ports/file-intake.js";
import type { Generations } from "../../schemas/ports/generations.js";
import type { Space } from "../../schemas/ports/read-model.js";
import { ACTIONS, FoldingIntake, itemVectors } from "./folding-intake.js";

export const NOW = Date.parse("2024-05-01T12:00:00Z");

/** One parsed answer. `body` is unknown JSON: tests name what they expect of it. */
export interface Answer<Body = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: Body;
  readonly text: string;
}

export interface TestServer {
  readonly api: Api;
  readonly intake: FoldingIntake;
  readonly metrics: Metrics;
  readonly replayed: unknown[];
  readonly slices: FileSlice[];
  /** Set to make the server say that it is not ready. */
  notReady: string | null;
  call<Body = Record<string, unknown>>(
    method: NonNullable<InjectOptions["method"]>,
    url: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer<Body>>;
  /** Plays of `user`, one event an item. */
  plays(user: string, ...items: readonly string[]): Promise<string>;
}

/** Other parts, and what of the one generation is to be other. */
type Overrides = Partial<ServerParts> & { readonly of?: Partial<Space> };

/** One server for a table of questions that change nothing: making one takes longer than asking it. */
export function sharedServer(overrides: Overrides = {}): () => TestServer {
  let server: TestServer;
  beforeAll(() => {
    server = makeServer(overrides);
  });
  afterAll(() => server.api.close());
  return () => server;
}

const open: Api[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((api) => api.close()));
});

/** The HTTP side over a log that folds in memory; closed after the test. */
export function testServer(overrides: Overrides = {}): TestServer {
  const server = makeServer(overrides);
  open.push(server.api);
  return server;
}

function makeServer({ of, ...overrides }: Overrides): TestServer {
  const intake = new FoldingIntake();
  const metrics = createMetrics();
  const replayed: unknown[] = [];
  const slices: FileSlice[] = [];
  const server: Omit<TestServer, "api" | "call" | "plays"> = { intake, metrics, replayed, slices, notReady: null };
  const space = (): Space => ({ users: intake.engine, items: undefined, itemVectors, ...of });
  const api = buildServer({
    intake,
    applied: intake,
    owner: intake,
    deadLetters: deadLetters(replayed),
    files: files(slices),
    readModel: intake.readModel,
    space,
    generations: oneGeneration(overrides.space ?? space),
    rules: () => ({ actions: new Set(Object.keys(ACTIONS)), latestTs: NOW + 60_000 }),
    foldSettings: () => ({ actions: ACTIONS, values: {} }),
    notReady: () => server.notReady,
    indexStats: () => [{ shard: "users-0", rows: intake.engine.size }],
    metrics,
    ...overrides,
  });
  const call: TestServer["call"] = async (method, url, body, headers = {}) => {
    const payload = body === undefined ? {} : { payload: typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body) };
    const type: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
    const answer = await api.inject({ method, url, ...payload, headers: { ...type, ...headers } });
    const isJson = /json/.test(String(answer.headers["content-type"]));
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: isJson && answer.body !== "" ? answer.json() : {},
      text: answer.body,
    } as Answer<never>;
  };
  const plays: TestServer["plays"] = async (user, ...items) => {
    const events = items.map((item, i) => ({ user, item, action: "play", ts: NOW + i }));
    return (await call<{ position: string }>("POST", "/v1/events", { events })).body.position;
  };
  return Object.assign(server, { api, call, plays });
}

function deadLetters(replayed: unknown[]): DeadLetters {
  const letters = [1, 2, 3].map((number) => ({
    number,
    code: "RECORD_UNREADABLE" as const,
    message: "not Avro",
    origin: `journal 0:${number}`,
    at: NOW,
    original: "base64:AA==",
  }));
  return {
    list: async ({ after = 0, limit }) => letters.filter(({ number }) => number > after).slice(0, limit),
    replay: async (repairs) => {
      replayed.push(repairs);
      return { replayed: repairs === "all" ? 3 : repairs.size, failed: 0, position: new Map([[0 as Partition, 9 as Offset]]) };
    },
  };
}

/** Takes whatever it is sent. */
function files(slices: FileSlice[]): FileIntake {
  return {
    progress: async () => NEVER_BEGUN,
    take: async (slice) => {
      slices.push(slice);
      const progress = { ...NEVER_BEGUN, rowsRead: slice.after + slice.rows, events: slice.events.length, run: slice.run };
      return { taken: true, progress, position: new Map([[0 as Partition, 9 as Offset]]) };
    },
  };
}

/** The one there is answers, and is told of what is asked of generations. */
function oneGeneration(space: () => Space): Generations {
  const list: Generations["list"] = async () => {
    const { users, items } = space();
    const ref = { generation: users.generation, dims: users.dims, kind: "random-indexing", seed: 1, publishedAt: null };
    const status = { ref, state: "active", pooled: 1, rows: users.size, items: items?.outputs.size ?? 0 } as const;
    return { serving: users.generation, previous: null, next: null, generations: [status] };
  };
  const known = async (generation: Generation): ReturnType<typeof list> => {
    if (generation !== space().users.generation) throw new KindredError("UNKNOWN_GENERATION", `there is no generation ${generation}`);
    return list();
  };
  const retire: Generations["retire"] = async (generation) => {
    await known(generation);
    throw new KindredError("GENERATION_IN_USE", "it is active");
  };
  return { list, publish: async (folder) => folder.length as Generation, activate: known, retire };
}
