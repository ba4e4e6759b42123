import type { Config } from "../../schemas/config.js";
import { KindredError } from "../../schemas/errors.js";
import type { IndexShardRows, UpdaterMetrics } from "../../schemas/ports/admin.js";
import type { Log } from "../../schemas/ports/log.js";
import { NodeThread } from "./node-thread.js";
import type { NodeWork } from "./worker-ports.js";

/** Who does what: `updater` folds, `recall` answers, `all` both. With a journal there is only `all`. */
export type Role = "all" | "updater" | "recall";

export interface NodeThreadsEvents {
  onMetrics(snapshot: UpdaterMetrics, shards: readonly IndexShardRows[]): void;
}

/** The threads beside the one that answers, by what they are asked for. One may be both. */
export interface NodeThreads {
  /** Takes what is sent: events, items, erasures, files, dead letters. */
  readonly taking: NodeThread;
  /** Knows rows; has what recall reads, but for the role `updater`. */
  readonly answering: NodeThread;
  readonly locked: Promise<void>;
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

const WORK: Record<Role, readonly NodeWork["work"][]> = { all: ["update", "answer"], updater: ["update"], recall: ["answer"] };

/** Starts them. @throws KindredError USAGE (a journal is not split) */
export function startThreads(config: Config, role: Role, log: Log, events: NodeThreadsEvents): NodeThreads {
  if (config.source.kind === "journal" && role !== "all")
    throw new KindredError("USAGE", `--role ${role} needs source.kind kafka: a journal is one process's; allowed: all`);
  const work = config.source.kind === "journal" ? (["update and answer"] as const) : WORK[role];
  const newest: { snapshot: UpdaterMetrics; shards: readonly IndexShardRows[] }[] = [];
  const threads = work.map(
    (one, i) =>
      new NodeThread(config, one, log, {
        onMetrics: (snapshot, shards) => {
          newest[i] = { snapshot, shards };
          const known = newest.filter((each) => each !== undefined);
          const merged = known.map((each) => each.snapshot).reduce(mergeMetrics);
          events.onMetrics(
            merged,
            known.flatMap((each) => each.shards),
          );
        },
      }),
  );
  const [taking, answering = taking] = threads as [NodeThread, NodeThread?];
  const failed = Promise.race(threads.map((thread) => thread.failed));
  // Whoever does not wait for it must not be ended by it.
  failed.catch(() => undefined);
  return {
    taking,
    answering,
    locked: Promise.all(threads.map(({ locked }) => locked)).then(() => undefined),
    failed,
    stop: async () => {
      const stopped = await Promise.allSettled(threads.map((thread) => thread.stop()));
      for (const one of stopped) if (one.status === "rejected") throw one.reason;
    },
  };
}

/** What one folded, and what of it the other made recallable. */
function mergeMetrics(updating: UpdaterMetrics, answering: UpdaterMetrics): UpdaterMetrics {
  const { events, deadLetters, sourceLagEvents } = updating;
  const registry = {
    waiting: (updating.registry?.waiting ?? 0) + (answering.registry?.waiting ?? 0),
    failures: (updating.registry?.failures ?? 0) + (answering.registry?.failures ?? 0),
  };
  return { ...answering, events, deadLetters, sourceLagEvents, registry };
}
