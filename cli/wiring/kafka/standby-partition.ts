import { KindredError } from "../../../schemas/errors.js";
import type { Partition } from "../../../schemas/ids.js";
import { endReplica, openReplica, type ReplicaParts } from "./open-replica.js";
import type { OwnedPartitionParts } from "./owned-partition.js";
import type { PartitionWork } from "./partition-slot.js";
import { openPartitionStore } from "./partition-stores.js";

/** A warm copy of a partition that another process owns: taken over, it has only the newest commits to read. */
export class StandbyPartition implements PartitionWork {
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;

  constructor(
    private readonly parts: ReplicaParts & Pick<OwnedPartitionParts, "onFailed">,
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
    const { signal } = this.stopping;
    const store = await openPartitionStore(this.parts.config, "state", this.partition);
    try {
      const opened = await openReplica(this.parts, store, this.partition);
      try {
        await opened.reader.readToEnd(signal);
        if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      } finally {
        await endReplica(opened);
      }
    } finally {
      await store.close();
    }
  }
}
