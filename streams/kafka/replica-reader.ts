import { KindredError } from "../../schemas/errors.js";
import type { FoldedBatch } from "../../schemas/ports/folded-batch.js";
import type { Log } from "../../schemas/ports/log.js";
import type { PartitionReplica } from "../../state/partition-replica.js";
import { AppendSignal } from "../append-signal.js";
import { changelogRecords } from "./kafka-changelog.js";
import { againWhilePassing } from "./keep-running.js";
import type { Follower, TopicFollower } from "./topic-follower.js";

export interface ReplicaReaderParts {
  readonly follower: Pick<TopicFollower, "follow" | "unfollow" | "caughtUp" | "failed">;
  /** The changelog. */
  readonly topic: string;
  readonly replica: PartitionReplica;
  readonly log: Log;
  /** Told of what was applied once the end was reached, in order; the next records come when it has resolved. */
  readonly applied?: (batches: readonly FoldedBatch[], messages: Parameters<Follower["take"]>[0]) => Promise<void>;
}

/** More commits than an owner ends while one is looked for. */
const MOST_LOOKS = 5;
/** The rest of a commit follows within. */
const NEXT_MS = 1_000;

/** Reads a partition's changelog into a replica, from where its store is: to the end, and on for as long as it is wanted. */
export class ReplicaReader {
  /** Records that were read. */
  records = 0;
  private applying: Promise<unknown> = Promise.resolve();
  /** Until the end is reached nobody reads the rows, and each is made once of its newest record. */
  private behind = false;
  private readonly taken = new AppendSignal();

  constructor(private readonly parts: ReplicaReaderParts) {}

  private follow(): void {
    const { follower, topic, replica } = this.parts;
    follower.follow(topic, replica.partition, replica.changelogNext, {
      take: async (messages, next) => {
        this.records += messages.length;
        // The next are fetched when these are in: else all of a changelog would lie in memory.
        const work = this.apply(messages, next);
        this.applying = work;
        await work;
        this.taken.wake();
      },
    });
  }

  private async apply(messages: Parameters<Follower["take"]>[0], next: number): Promise<void> {
    const { replica, applied } = this.parts;
    const records = changelogRecords(messages);
    if (this.behind) return replica.applyOn(records, next);
    const batches = await replica.apply(records, next);
    await applied?.(batches, messages);
  }

  /** @returns whether the rows add up with the changelog then */
  private async followToEnd(signal: AbortSignal): Promise<boolean> {
    const { follower, replica, log } = this.parts;
    const stop = AbortSignal.any([signal, follower.failed]);
    this.behind = true;
    this.follow();
    // Beside an owner who writes, one look may not do: what was fetched meanwhile may be a part of the next commit, and the broker may have
    // cleaned rows away whose newer ones lie behind the end as it was.
    for (let looks = 0; looks < MOST_LOOKS; looks++) {
      await this.reachCommit(stop);
      await againWhilePassing(() => replica.flush(stop), { ended: () => stop.aborted, log });
      stop.throwIfAborted();
      if (replica.complete) break;
    }
    this.behind = false;
    return replica.complete;
  }

  /**
   * To the end, and on to that of a commit: the owner may be writing, and what was fetched last may end within the next. All of a commit is there as soon as
   * a part of it can be read: where nothing follows, there is no end of one.
   */
  private async reachCommit(stop: AbortSignal): Promise<void> {
    const { follower, topic, replica } = this.parts;
    const caughtUp = (): Promise<void> => follower.caughtUp(topic, replica.partition, stop);
    for (await caughtUp(); !replica.atCommit; stop.throwIfAborted()) {
      const before = this.records;
      await this.taken.wait(NEXT_MS, stop);
      await caughtUp();
      if (this.records === before) return;
    }
  }

  /**
   * Goes on where the replica is, and resolves when everything that is in the changelog by now is applied; then goes on, until `stop`. A store that does not add up with it (it missed that rows
   * went: the topic forgets that after a time) is made anew of it.
   * @throws KindredError STATE_INCOMPLETE (the changelog does not add up with itself), TOPIC_MISMATCH, BROKER_FAILED, NOT_READY
   */
  async readToEnd(signal: AbortSignal): Promise<void> {
    const { topic, replica, log } = this.parts;
    const { partition } = replica;
    if (await this.followToEnd(signal)) return;
    log.warn({ partition }, "the store does not add up with its changelog and is made anew of it");
    await this.stop();
    await replica.reset();
    if (await this.followToEnd(signal)) return;
    const why = replica.atCommit ? "does not add up" : "ends within a commit";
    throw new KindredError("STATE_INCOMPLETE", `${topic} ${why}`, `partition ${partition}`);
  }

  /** Reads no more; what was being applied is. */
  async stop(): Promise<void> {
    const { follower, topic, replica } = this.parts;
    follower.unfollow(topic, replica.partition);
    await this.applying.catch(() => undefined);
  }
}
