import { KindredError } from "../../schemas/errors.js";
import type { FoldedBatch } from "../../schemas/ports/folded-batch.js";
import type { Log } from "../../schemas/ports/log.js";
import type { PartitionReplica } from "../../state/partition-replica.js";
import { changelogRecords } from "./kafka-changelog.js";
import type { Follower, TopicFollower } from "./topic-follower.js";

export interface ReplicaReaderParts {
  readonly follower: TopicFollower;
  /** The changelog. */
  readonly topic: string;
  readonly replica: PartitionReplica;
  readonly log: Log;
  /** Told of what was applied, in order; the next records come when it has resolved. */
  readonly applied?: (batches: readonly FoldedBatch[], messages: Parameters<Follower["take"]>[0]) => Promise<void>;
}

/** Reads a partition's changelog into a replica, from where its store is: to the end, and on for as long as it is wanted. */
export class ReplicaReader {
  /** Records that were read. */
  records = 0;
  private applying: Promise<unknown> = Promise.resolve();

  constructor(private readonly parts: ReplicaReaderParts) {}

  /** Goes on where the replica is. */
  follow(): void {
    const { follower, topic, replica, applied } = this.parts;
    follower.follow(topic, replica.partition, replica.changelogNext, {
      take: async (messages, next) => {
        this.records += messages.length;
        const work = replica.apply(changelogRecords(messages), next);
        this.applying = work;
        await applied?.(await work, messages);
      },
    });
  }

  /**
   * Follows, and resolves when everything that is in the changelog by now is applied. A store that does not add up with it (it missed that rows
   * went: the topic forgets that after a time) is made anew of it.
   * @throws KindredError STATE_INCOMPLETE (the changelog does not add up with itself), TOPIC_MISMATCH, BROKER_FAILED, NOT_READY
   */
  async readToEnd(signal: AbortSignal): Promise<void> {
    const { follower, topic, replica, log } = this.parts;
    const { partition } = replica;
    this.follow();
    await follower.caughtUp(topic, partition, signal);
    if (replica.complete) return;
    log.warn({ partition }, "the store does not add up with its changelog and is made anew of it");
    await this.stop();
    await replica.reset();
    this.follow();
    await follower.caughtUp(topic, partition, signal);
    if (!replica.complete) throw new KindredError("STATE_INCOMPLETE", `${topic} ends within a commit`, `partition ${partition}`);
  }

  /** Reads no more; what was being applied is. */
  async stop(): Promise<void> {
    const { follower, topic, replica } = this.parts;
    follower.unfollow(topic, replica.partition);
    await this.applying.catch(() => undefined);
  }
}
