// Entry of the updater's thread: everything that changes state runs here, away from the thread that answers.
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { Config } from "../../schemas/config.js";
import { HotBuckets } from "./hot-buckets.js";
import { makeLogger } from "./offline.js";
import { handlesOf } from "./opened-index.js";
import { toSentError } from "./port-calls.js";
import { Updater } from "./updater.js";
import { wantsMoves } from "./vector-engines.js";
import { offerUpdater, type UpdaterNews } from "./worker-ports.js";

const METRICS_EVERY_MS = 1_000;

const port = parentPort as MessagePort;
const tell = (news: UpdaterNews): void => port.postMessage(news);
const failed = (error: unknown): void => tell({ kind: "failed", error: toSentError(error) });

async function main(config: Config): Promise<void> {
  const log = makeLogger(config);
  const updater = await Updater.open({
    config,
    log,
    onApplied: (position, eventTime) => tell({ kind: "applied", position, eventTime }),
    onFailed: failed,
    ...(wantsMoves(config) && { onMoved: (ordinals: Uint32Array) => tell({ kind: "moved", ordinals }) }),
  });
  tell({ kind: "locked" });
  let ticking: NodeJS.Timeout | undefined;
  let stopping = false;
  const started = updater.start();
  offerUpdater(port, updater, async () => {
    stopping = true;
    clearInterval(ticking);
    updater.interrupt();
    await started.catch(() => undefined);
    try {
      await updater.close();
    } catch (err) {
      log.error({ err }, "the updater could not be closed cleanly");
      throw err;
    } finally {
      // After the answer was posted.
      setImmediate(() => port.close());
    }
  });
  await started;
  const { index } = updater;
  if (!index || stopping) return;
  tell({ kind: "applied", ...updater.applied() });
  tell({ kind: "opened", ...handlesOf(index) });
  const hotBuckets = new HotBuckets(config.fingerprint.bucketCap, log);
  ticking = setInterval(() => {
    const snapshot = updater.metrics();
    if (snapshot.bands) hotBuckets.look(snapshot.bands);
    tell({ kind: "metrics", snapshot, shards: index.shards() });
  }, METRICS_EVERY_MS);
}

main(workerData as Config).catch(failed);
