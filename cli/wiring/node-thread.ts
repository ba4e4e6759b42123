import { Worker } from "node:worker_threads";
import type { Config } from "../../schemas/config.js";
import { KindredError } from "../../schemas/errors.js";
import type { IndexShardRows, UpdaterMetrics } from "../../schemas/ports/admin.js";
import type { Log } from "../../schemas/ports/log.js";
import { AppliedWaiters } from "./applied-waiters.js";
import { OpenedIndex } from "./opened-index.js";
import { fromSentError, RemoteCalls } from "./port-calls.js";
import { Readers } from "./readers.js";
import {
  type IndexHandles,
  type NodeCalls,
  type NodeNews,
  type NodePorts,
  type NodeWork,
  remoteNode,
  type SpaceHandles,
} from "./worker-ports.js";

interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
}

function deferred<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, "promise"> | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, ...(settle as Omit<Deferred<T>, "promise">) };
}

export interface NodeThreadEvents {
  onMetrics(snapshot: UpdaterMetrics, shards: readonly IndexShardRows[]): void;
}

/** A node's thread, seen from the one that answers. */
export class NodeThread {
  readonly applied = new AppliedWaiters();
  /** Requests that are being answered from what is attached here. */
  readonly readers = new Readers();
  readonly ports: NodePorts;
  /** The data directory is ours. Rejects with what `failed` rejects with. */
  readonly locked: Promise<void>;
  /** Everything that was in the log at the start is recallable; undefined where the node builds no index. */
  readonly opened: Promise<OpenedIndex | undefined>;
  /** Rejects when the node cannot go on; never resolves. */
  readonly failed: Promise<never>;
  private readonly worker: Worker;
  private readonly calls: RemoteCalls<NodeCalls>;
  private readonly exited: Promise<void>;
  private attaching: Promise<unknown> = Promise.resolve();
  private detach: () => Promise<void> = async () => undefined;
  /** Until an engine is there to be told, kept for it. */
  private moved: (ordinals: Uint32Array) => void = (ordinals) => this.movedEarly.push(ordinals);
  private movedEarly: Uint32Array[] = [];
  private lockedNow = false;
  private gone = false;

  constructor(
    private readonly config: Config,
    work: NodeWork["work"],
    private readonly log: Log,
    events: NodeThreadEvents,
  ) {
    this.worker = new Worker(new URL("./node-worker.js", import.meta.url), {
      workerData: { config, work } satisfies NodeWork,
      name: work,
      // As the command line's own: see cli/main.cts.
      resourceLimits: { maxYoungGenerationSizeMb: 192 },
    });
    this.calls = new RemoteCalls<NodeCalls>(this.worker);
    const remote = remoteNode(this.calls, config.journal.maxLagEvents);
    // Whoever is told that another generation answers is answered by it.
    const activate: NodePorts["generations"]["activate"] = async (generation) => {
      const status = await remote.generations.activate(generation);
      await this.attaching;
      return status;
    };
    this.ports = { ...remote, generations: { ...remote.generations, activate } };
    const lock = deferred<void>();
    const open = deferred<OpenedIndex | undefined>();
    const fail = deferred<never>();
    const onFailed = (error: KindredError): void => {
      for (const waiting of [lock, open, fail]) waiting.reject(error);
    };
    const onGone = (error: KindredError): void => {
      this.gone = true;
      this.calls.close(error);
      onFailed(error);
    };
    this.worker.on("message", (news: NodeNews) => {
      if (news.kind === "applied") this.applied.advance(news.position, news.eventTime);
      else if (news.kind === "moved") this.moved(news.ordinals);
      else if (news.kind === "serving") this.attaching = this.serve(news.space);
      else if (news.kind === "metrics") events.onMetrics(news.snapshot, news.shards);
      else if (news.kind === "locked") {
        this.lockedNow = true;
        lock.resolve();
      } else if (news.kind === "opened") this.attaching = this.attach(news.index).then(open.resolve, open.reject);
      else if (news.kind === "failed") onFailed(fromSentError(news.error));
    });
    this.worker.on("error", (cause) =>
      onFailed(new KindredError("INTERNAL", `a node's thread broke: ${cause.message}`, undefined, { cause })),
    );
    this.exited = new Promise((resolve) => {
      this.worker.on("exit", () => {
        onGone(new KindredError("NOT_READY", "the node has stopped"));
        resolve();
      });
    });
    [this.locked, this.opened, this.failed] = [lock.promise, open.promise, fail.promise];
    // Whoever does not wait for one of them must not be ended by it.
    for (const promise of [this.locked, this.opened, this.failed]) promise.catch(() => undefined);
  }

  /** Ends it: nothing acknowledged is lost, what it has open is closed. @throws what could not be done cleanly, e.g. the last save */
  async stop(): Promise<void> {
    this.applied.close();
    await this.attaching;
    await this.detach();
    // One that is gone already said why by `failed`.
    const stopped = this.lockedNow && !this.gone ? this.calls.call("stop") : Promise.resolve();
    await Promise.allSettled([stopped, this.exited]);
    await stopped;
  }

  private async attach(handles: IndexHandles | undefined): Promise<OpenedIndex | undefined> {
    if (!handles) return undefined;
    const opened = await OpenedIndex.attach(handles, this.config, this.log);
    this.detach = () => opened.close();
    for (const ordinals of this.movedEarly) opened.moved(ordinals);
    this.movedEarly = [];
    this.moved = (ordinals) => opened.moved(ordinals);
    return opened;
  }

  /** One that cannot be attached to leaves the one before in its place. */
  private async serve(space: SpaceHandles): Promise<void> {
    const opened = await this.opened;
    await opened
      ?.serve(space, () => this.readers.left())
      .catch((err: unknown) => {
        this.log.error({ err, generation: space.users.generation }, "a generation that is to answer cannot be reached");
      });
  }
}
