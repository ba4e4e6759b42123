import { KindredError } from "../../../schemas/errors.js";
import type { Partition } from "../../../schemas/ids.js";
import { PartitionReplica } from "../../../state/partition-replica.js";
import { ReplicaReader } from "../../../streams/kafka/replica-reader.js";
import type { OwnedPartitionParts } from "./owned-partition.js";
import type { PartitionWork } from "./partition-slot.js";
import { openPartitionStore, restoring, STORED } from "./partition-stores.js";

/** A warm copy of a partition that another process owns: taken over, it has only the newest commits to read. */
export class StandbyPartition implements PartitionWork {
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;

  constructor(
    private readonly parts: Pick<
      OwnedPartitionParts,
      "config" | "log" | "partitions" | "catalogues" | "itemVectors" | "follower" | "onFailed"
    >,
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
    const { config, catalogues, itemVectors, follower, log } = this.parts;
    const { signal } = this.stopping;
    const store = await openPartitionStore(config, "state", this.partition);
    try {
      const replica = await PartitionReplica.open({
        store,
        partition: this.partition,
        catalogues,
        itemVectors,
        ...STORED,
        ...restoring(this.parts.partitions),
      });
      const reader = new ReplicaReader({ follower, topic: config.kafka.topics.changelog, replica, log });
      try {
        await reader.readToEnd(signal);
        if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      } finally {
        await reader.stop();
        await replica.settled();
      }
    } finally {
      await store.close();
    }
  }
}
