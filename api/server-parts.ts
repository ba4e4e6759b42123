import type { IncomingMessage, ServerResponse } from "node:http";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from "fastify";
import type { FoldSettings } from "../schemas/catalogue.js";
import type { EventRules } from "../schemas/event.js";
import type { DeadLetters, IndexShardRows, StateOwner } from "../schemas/ports/admin.js";
import type { AppliedPosition, EventIntake } from "../schemas/ports/event-log.js";
import type { FileIntake } from "../schemas/ports/file-intake.js";
import type { Generations } from "../schemas/ports/generations.js";
import type { ReadModelReader, Space } from "../schemas/ports/read-model.js";
import type { Metrics } from "./metrics.js";

/** Fastify as the routes see it: schemas give the types. */
export type Api = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, TypeBoxTypeProvider>;

/** Everything the HTTP side needs; it makes none of it. The command that serves wires these. */
export interface ServerParts {
  readonly intake: EventIntake;
  readonly applied: AppliedPosition;
  readonly owner: StateOwner;
  readonly deadLetters: DeadLetters;
  readonly files: FileIntake;
  readonly readModel: ReadModelReader;
  /** What the generation that is active now answers with. Asked once a request. */
  readonly space: () => Space;
  readonly generations: Generations;
  /** Against the wall clock of now. */
  readonly rules: () => EventRules;
  /** Weights of actions and values, for a session that is pooled in the request. */
  readonly foldSettings: () => Pick<FoldSettings, "actions" | "values">;
  /** Why requests can't be answered yet (catching up, loading); null when they can. */
  readonly notReady: () => string | null;
  readonly indexStats: () => readonly IndexShardRows[];
  readonly metrics: Metrics;
  readonly settings?: Partial<ApiSettings>;
  readonly logger?: FastifyBaseLogger;
}

/** Limits of requests. All are at least 1. */
export interface ApiSettings {
  readonly bodyLimitBytes: number;
  readonly maxEvents: number;
  /** Longest line of NDJSON, in bytes. */
  readonly maxLineBytes: number;
  /** Most items in one `POST /v1/items`. */
  readonly maxItems: number;
  /** Most users or items asked for in one `POST /v1/recall/{scenario}`. */
  readonly maxRecallBatch: number;
  /** Most events of a session recall. */
  readonly maxSessionEvents: number;
  /** Neighbours whose items u2u2i looks at, 1..10,000. */
  readonly u2u2iNeighbors: number;
  /** Strongest items of a profile that co-occurrence starts from. */
  readonly coOccurrenceSeeds: number;
  /** Largest Hamming distance of the rung "fingerprint", 0..64. */
  readonly fingerprintDistance: number;
  /** A search answers with what it found by then, marked degraded. */
  readonly searchDeadlineMs: number;
  /** How long `DELETE /v1/users/{user}` waits until the erasure is applied. */
  readonly erasureWaitMs: number;
  readonly requestTimeoutMs: number;
  /** Requests under /v1 answered at once; one more gets 503. */
  readonly maxRequestsInFlight: number;
  /** What the bodies of those may hold together. */
  readonly maxBodyBytesInFlight: number;
}

export const DEFAULT_API_SETTINGS: ApiSettings = Object.freeze({
  bodyLimitBytes: 8 * 1024 * 1024,
  maxEvents: 5000,
  maxLineBytes: 64 * 1024,
  maxItems: 5000,
  maxRecallBatch: 256,
  maxSessionEvents: 512,
  u2u2iNeighbors: 100,
  coOccurrenceSeeds: 16,
  fingerprintDistance: 2,
  searchDeadlineMs: 500,
  erasureWaitMs: 10_000,
  requestTimeoutMs: 60_000,
  maxRequestsInFlight: 2048,
  maxBodyBytesInFlight: 128 * 1024 * 1024,
});

/** Parts with every setting filled in. */
export interface ResolvedParts extends ServerParts {
  readonly settings: ApiSettings;
}
