import type { Config } from "../../schemas/config.js";
import { KindredError } from "../../schemas/errors.js";
import type { EpochMs, Generation } from "../../schemas/ids.js";
import type { DeadLetters, IndexShardRows, StateOwner, UpdaterMetrics } from "../../schemas/ports/admin.js";
import type { EventIntake } from "../../schemas/ports/event-log.js";
import type { FileIntake } from "../../schemas/ports/file-intake.js";
import type { Generations } from "../../schemas/ports/generations.js";
import type { Metric } from "../../schemas/ports/read-model.js";
import type { Position } from "../../schemas/position.js";
import type { ItemVectorsHandle } from "./item-vectors.js";
import { answerCalls, type Port, type RemoteCalls, type SentError } from "./port-calls.js";

/** An engine that another thread attaches to. */
export interface EngineHandle {
  readonly handle: number;
  readonly generation: Generation;
  readonly dims: number;
  readonly metric: Metric;
}

/** Those of items; both are the same where the model compares items by their output vectors. */
export interface ItemHandles {
  readonly outputs: EngineHandle;
  readonly alike: EngineHandle;
}

/** All of one generation that answers are made of. */
export interface SpaceHandles {
  readonly users: EngineHandle;
  readonly items?: ItemHandles;
  readonly itemVectors: ItemVectorsHandle | undefined;
}

/** Everything that recall reads. */
export interface IndexHandles {
  readonly readModel: number;
  readonly space: SpaceHandles;
}

/** What a node's thread is for. With a journal one does both; with Kafka one folds what the group gives it, another follows everything that is folded. */
export interface NodeWork {
  readonly config: Config;
  readonly work: "update and answer" | "update" | "answer";
}

/** What a node's thread tells without being asked. */
export type NodeNews =
  /** The data directory is this process's. */
  | { readonly kind: "locked" }
  /** It is live. `index`: memory to read from, with everything in it that was in the log at the start; absent where the node builds none. */
  | { readonly kind: "opened"; readonly index?: IndexHandles }
  /** Another generation answers from now on. Its memory is there until this process has been told of the next. */
  | { readonly kind: "serving"; readonly space: SpaceHandles }
  /** Vectors of these were written or removed; comes before the position of the same batch. Only to engines that want it. */
  | { readonly kind: "moved"; readonly ordinals: Uint32Array }
  | { readonly kind: "applied"; readonly position: Position; readonly eventTime: EpochMs }
  | { readonly kind: "metrics"; readonly snapshot: UpdaterMetrics; readonly shards: readonly IndexShardRows[] }
  /** The node cannot go on; the process must end. */
  | { readonly kind: "failed"; readonly error: SentError };

/** What a node's thread does when asked. */
export type NodeCalls = {
  readonly append: EventIntake["append"];
  readonly putItems: EventIntake["putItems"];
  readonly erase: EventIntake["erase"];
  readonly profile: StateOwner["profile"];
  readonly summary: StateOwner["summary"];
  readonly verify: StateOwner["verify"];
  readonly histories: StateOwner["histories"];
  readonly itemInfos: StateOwner["itemInfos"];
  readonly listLetters: DeadLetters["list"];
  readonly replayLetters: DeadLetters["replay"];
  readonly fileProgress: FileIntake["progress"];
  readonly takeRows: FileIntake["take"];
  readonly listGenerations: Generations["list"];
  readonly publish: Generations["publish"];
  readonly activate: Generations["activate"];
  readonly retire: Generations["retire"];
  /** Ends after the batches under way, saves, closes; what is not folded yet is left to the next start. Nothing is answered after it. */
  readonly stop: () => Promise<void>;
};

/** Parts of a node that other threads may use. */
export interface NodePorts {
  readonly intake: EventIntake;
  readonly owner: StateOwner;
  readonly deadLetters: DeadLetters;
  readonly files: FileIntake;
  readonly generations: Generations;
}

/** Offers the node's parts to the thread behind `port`. */
export function offerNode(port: Port, { intake, owner, deadLetters, files, generations }: NodePorts, stop: () => Promise<void>): void {
  answerCalls<NodeCalls>(port, {
    append: (events) => intake.append(events),
    putItems: (items) => intake.putItems(items),
    erase: (user, at) => intake.erase(user, at),
    profile: (user) => owner.profile(user),
    summary: () => owner.summary(),
    verify: () => owner.verify(),
    histories: (after, limit) => owner.histories(after, limit),
    itemInfos: (items) => owner.itemInfos(items),
    listLetters: (options) => deadLetters.list(options),
    replayLetters: (repairs) => deadLetters.replay(repairs),
    fileProgress: (file) => files.progress(file),
    takeRows: (slice) => files.take(slice),
    listGenerations: () => generations.list(),
    publish: (folder) => generations.publish(folder),
    activate: (generation) => generations.activate(generation),
    retire: (generation) => generations.retire(generation),
    stop,
  });
}

/**
 * The node's parts, seen from this thread.
 * @param maxWaitingEvents events on their way to the other thread above which nothing more is taken: a thread that is busy
 * must not let messages pile up
 */
export function remoteNode(calls: RemoteCalls<NodeCalls>, maxWaitingEvents: number): NodePorts {
  let waiting = 0;
  const bounded = async <T>(events: number, send: () => Promise<T>): Promise<T> => {
    if (waiting > 0 && waiting + events > maxWaitingEvents)
      throw new KindredError("OVERLOADED", `${waiting} events wait for the updater; nothing of this was taken`, undefined, {
        retryAfterSeconds: 1,
      });
    waiting += events;
    try {
      return await send();
    } finally {
      waiting -= events;
    }
  };
  return {
    intake: {
      append: (events) => bounded(events.length, () => calls.call("append", events)),
      putItems: (items) => calls.call("putItems", items),
      erase: (user, at) => calls.call("erase", user, at),
    },
    owner: {
      profile: (user) => calls.call("profile", user),
      summary: () => calls.call("summary"),
      verify: () => calls.call("verify"),
      histories: (after, limit) => calls.call("histories", after, limit),
      itemInfos: (items) => calls.call("itemInfos", items),
    },
    deadLetters: {
      list: (options) => calls.call("listLetters", options),
      replay: (repairs) => calls.call("replayLetters", repairs),
    },
    files: {
      progress: (file) => calls.call("fileProgress", file),
      take: (slice) => bounded(slice.events.length, () => calls.call("takeRows", slice)),
    },
    generations: {
      list: () => calls.call("listGenerations"),
      publish: (folder) => calls.call("publish", folder),
      activate: (generation) => calls.call("activate", generation),
      retire: (generation) => calls.call("retire", generation),
    },
  };
}
