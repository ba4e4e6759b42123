// Entry of a node's thread: everything that changes state, or follows it, runs here, away from the thread that answers.
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { HotBuckets } from "./hot-buckets.js";
import { KafkaUpdater } from "./kafka/kafka-updater.js";
import { RecallNode } from "./kafka/recall-node.js";
import { makeLogger } from "./logger.js";
import { handlesOf, spaceHandlesOf } from "./opened-index.js";
import { toSentError } from "./port-calls.js";
import type { NodeOptions, ServingNode } from "./serving-node.js";
import { Updater } from "./updater.js";
import { wantsMoves } from "./vector-engines.js";
import { type NodeNews, type NodeWork, offerNode } from "./worker-ports.js";

const METRICS_EVERY_MS = 1_000;
const LEFT_BEHIND_MS = 1_000;

const port = parentPort as MessagePort;
const tell = (news: NodeNews): void => port.postMessage(news);
const failed = (error: unknown): void => tell({ kind: "failed", error: toSentError(error) });

/** The journal's updater, a member of the group, or what follows the group's changelogs. */
function openNode(work: NodeWork["work"], options: NodeOptions): Promise<ServingNode> {
  if (work === "update and answer") return Updater.open(options);
  return work === "update" ? KafkaUpdater.open(options) : RecallNode.open(options);
}

async function main({ config, work }: NodeWork): Promise<void> {
  const log = makeLogger(config);
  const node = await openNode(work, {
    config,
    log,
    onApplied: (position, eventTime) => tell({ kind: "applied", position, eventTime }),
    onFailed: failed,
    onServing: (space) => tell({ kind: "serving", space: spaceHandlesOf(space) }),
    ...(wantsMoves(config) && { onMoved: (ordinals: Uint32Array) => tell({ kind: "moved", ordinals }) }),
  });
  tell({ kind: "locked" });
  let ticking: NodeJS.Timeout | undefined;
  let stopping = false;
  const started = node.start();
  offerNode(port, node, async () => {
    stopping = true;
    clearInterval(ticking);
    node.interrupt();
    await started.catch(() => undefined);
    try {
      await node.close();
    } catch (err) {
      log.error({ err }, "the node could not be closed cleanly");
      throw err;
    } finally {
      // After the answer was posted.
      setImmediate(() => port.close());
      // Connections that do not come to their end (streams/kafka/keep-running.ts) would keep the process.
      setTimeout(() => process.exit(), LEFT_BEHIND_MS).unref();
    }
  });
  await started;
  if (stopping) return;
  const { index } = node;
  tell({ kind: "applied", ...node.applied() });
  tell({ kind: "opened", ...(index && { index: handlesOf(index) }) });
  const hotBuckets = new HotBuckets(config.fingerprint.bucketCap, log);
  ticking = setInterval(() => {
    const snapshot = node.metrics();
    if (snapshot.bands) hotBuckets.look(snapshot.bands);
    tell({ kind: "metrics", snapshot, shards: index?.shards() ?? [] });
  }, METRICS_EVERY_MS);
}

main(workerData as NodeWork).catch(failed);
