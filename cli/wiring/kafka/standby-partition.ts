import { KindredError } from "../../../schemas/errors.js";
import type { Partition } from "../../../schemas/ids.js";
import { PartitionReplica } from "../../../state/partition-replica.js";
import { openRocksStore } from "../../../state/rocks-store.js";
import { changelogRecords } from "../../../streams/kafka/kafka-changelog.js";
import { type OwnedPartitionParts, ROCKS, STORED, stateDirectory } from "./owned-partition.js";
import type { PartitionWork } from "./partition-slot.js";

/** A warm copy of a partition that another process owns: taken over, it has only the newest commits to read. */
export class StandbyPartition implements PartitionWork {
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;

  constructor(
    private readonly parts: Pick<OwnedPartitionParts, "config" | "catalogues" | "itemVectors" | "follower" | "onFailed">,
    private readonly partition: Partition,
  ) {
    this.running = this.run().catch((error: unknown) => {
      if (!this.stopping.signal.aborted) parts.onFailed(error);
    });
  }

  revoke(): Promise<void> {
    return this.stop();
  }

  async stop(): Promise<void> {
    this.stopping.abort(new KindredError("NOT_READY", "the standby is stopped"));
    await this.running;
  }

  private async run(): Promise<void> {
    const { config, catalogues, itemVectors, follower } = this.parts;
    const topic = config.kafka.topics.changelog;
    const store = await openRocksStore(stateDirectory(config, this.partition), ROCKS);
    let applying: Promise<unknown> = Promise.resolve();
    try {
      const replica = await PartitionReplica.open({ store, partition: this.partition, catalogues, itemVectors, ...STORED });
      const { signal } = this.stopping;
      if (signal.aborted) return;
      follower.follow(topic, this.partition, replica.changelogNext, {
        take: async (messages, next) => {
          applying = replica.apply(changelogRecords(messages), next);
          await applying;
        },
      });
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    } finally {
      follower.unfollow(topic, this.partition);
      await applying.catch(() => undefined);
      await store.close();
    }
  }
}
