import { createMetrics } from "../../api/metrics.js";
import { buildServer } from "../../api/server.js";
import type { Config } from "../../schemas/config.js";
import { KindredError } from "../../schemas/errors.js";
import type { IndexShardRows } from "../../schemas/ports/admin.js";
import type { ReadModelReader } from "../../schemas/ports/read-model.js";
import { removeAddress, writeAddress } from "./address-file.js";
import { eventRulesOf, foldSettingsOf } from "./fold-configuration.js";
import { LatePart } from "./late-part.js";
import { makeLogger } from "./logger.js";
import { type Role, startThreads } from "./node-threads.js";
import type { OpenedIndex } from "./opened-index.js";
import { requireEngine } from "./vector-engines.js";

/** A server that listens. */
export interface RunningServer {
  readonly url: string;
  /** Everything that was in the log at the start is recallable. */
  readonly ready: Promise<void>;
  /** Rejects when it cannot go on. */
  readonly failed: Promise<never>;
  /** Answers what is under way, then ends the updater cleanly. */
  close(): Promise<void>;
}

type Log = ReturnType<typeof makeLogger>;

/**
 * The API over what the role has: whatever changes state, or follows it, in threads of its own, answers here.
 * @throws KindredError DIRECTORY_IN_USE and other reasons why the directory cannot be opened, CONFIG_INVALID, STORAGE_FAILED (the port is taken),
 * ENGINE_MISSING, USAGE (a journal has one role), BROKER_FAILED
 */
export async function startServer(config: Config, log: Log = makeLogger(config), role: Role = "all"): Promise<RunningServer> {
  if (role !== "updater") await requireEngine(config);
  const metrics = createMetrics({ processMetrics: true });
  let shards: readonly IndexShardRows[] = [];
  const threads = startThreads(config, role, log, {
    onMetrics: (snapshot, rows) => {
      shards = rows;
      metrics.fromUpdater(snapshot);
      metrics.setIndexRows(rows);
    },
  });
  const { taking, answering } = threads;
  await threads.locked.catch(async (error: unknown) => {
    await threads.stop().catch(() => undefined);
    throw error;
  });
  const readModel = new LatePart<ReadModelReader>("the read model");
  const index = new LatePart<OpenedIndex>("the index");
  let why: string | null = "catching up with the log";
  const api = buildServer({
    ...taking.ports,
    owner: answering.ports.owner,
    generations: { ...taking.ports.generations, list: answering.ports.generations.list },
    applied: answering.applied,
    readModel: readModel.proxy,
    space: () => index.get().space,
    rules: eventRulesOf(config),
    foldSettings: foldOnce(config),
    notReady: () => why,
    indexStats: () => shards,
    metrics,
    settings: { bodyLimitBytes: config.server.bodyLimitBytes, maxEvents: config.server.maxEventsPerRequest },
    logger: log,
  });
  api.server.on("request", (_, answer) => answer.once("close", answering.readers.enter()));
  const close = async (): Promise<void> => {
    try {
      await api.close();
    } finally {
      await threads.stop().finally(() => removeAddress(config.dataDir));
    }
  };
  const url = await listen(api, config).catch(async (error: unknown) => {
    await close().catch((err: unknown) => log.error({ err }, "the server could not be closed cleanly"));
    throw error;
  });
  writeAddress(config.dataDir, { url, pid: process.pid });
  const ready = Promise.all([answering.opened, taking.opened]).then(([opened]) => {
    if (opened) {
      readModel.set(opened.readModel);
      index.set(opened);
    } else {
      const reason = new KindredError("WRONG_ROLE", "this node folds and does not answer; ask one of the role recall");
      readModel.refuse(reason);
      index.refuse(reason);
    }
    why = null;
  });
  ready.catch(() => undefined);
  threads.failed.catch(() => {
    why = "the updater has stopped";
  });
  return { url, ready, failed: threads.failed, close };
}

function foldOnce(config: Config): () => ReturnType<typeof foldSettingsOf> {
  const settings = foldSettingsOf(config);
  return () => settings;
}

async function listen(api: ReturnType<typeof buildServer>, { server }: Config): Promise<string> {
  try {
    return await api.listen({ host: server.host, port: server.port });
  } catch (cause) {
    const taken = (cause as NodeJS.ErrnoException).code === "EADDRINUSE";
    const message = taken
      ? `port ${server.port} is taken by another process; choose one with --port`
      : `cannot listen: ${(cause as Error).message}`;
    throw new KindredError("CONFIG_INVALID", message, `${server.host}:${server.port}`, { cause });
  }
}
