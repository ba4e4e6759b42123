import type { ItemVectorsOf } from "../../schemas/catalogue.js";
import type { Config } from "../../schemas/config.js";
import type { EpochMs } from "../../schemas/ids.js";
import type { UpdaterMetrics } from "../../schemas/ports/admin.js";
import type { Log } from "../../schemas/ports/log.js";
import type { Position } from "../../schemas/position.js";
import type { SearchIndex } from "./search-index.js";
import type { SearchSpace } from "./search-space.js";
import type { NodePorts } from "./worker-ports.js";

export interface NodeOptions {
  readonly config: Config;
  readonly log: Log;
  /** Where the vectors of a generation come from; its kind decides where absent. */
  readonly itemVectors?: ItemVectorsOf;
  /** Told after each publish. */
  readonly onApplied?: (position: Position, eventTime: EpochMs) => void;
  /** Told whose vectors were written or removed, before it counts as applied. */
  readonly onMoved?: (ordinals: Uint32Array) => void;
  /** Told what answers instead of what did. */
  readonly onServing?: (space: SearchSpace) => void;
  /** Told once when it cannot go on. */
  readonly onFailed?: (error: unknown) => void;
}

/** What runs in a thread of its own beside the one that answers: it takes the directory when it is opened, and goes live by `start`. */
export interface ServingNode extends NodePorts {
  start(): Promise<void>;
  /** What recall reads; undefined where this node builds none. */
  readonly index: SearchIndex | undefined;
  applied(): { readonly position: Position; readonly eventTime: EpochMs };
  metrics(): UpdaterMetrics;
  /** Makes `start` end soon; `close` is still to be called. */
  interrupt(): void;
  close(): Promise<void>;
}
