import type { Partition } from "../../../schemas/ids.js";

/** What a process does with a partition, from when it begins until it is stopped. */
export interface PartitionWork {
  /** Ends after what is under way. */
  stop(): Promise<void>;
  /** Ends at once: the partition is another's. */
  revoke(): Promise<void>;
}

/** `owned`: folds it; `standby`: keeps a warm copy of it; `idle`: neither. */
export type PartitionRole = "owned" | "standby" | "idle";

/** One partition of the topic as this process has it: what it is to do changes with the group, one after the other, since both use the same directory. */
export class PartitionSlot {
  private turns: Promise<void> = Promise.resolve();
  private role: PartitionRole = "idle";
  private wanted: PartitionRole = "idle";
  private work: PartitionWork | undefined;
  /** What is done was told to end, whatever is wanted since. */
  private revoked = false;

  constructor(
    readonly partition: Partition,
    private readonly begin: Readonly<Record<Exclude<PartitionRole, "idle">, (partition: Partition) => PartitionWork>>,
  ) {}

  /** At once forbids what a lost partition must not do any more; the rest follows. */
  become(role: PartitionRole): void {
    if (role === this.wanted) return;
    if (this.wanted === "owned" && this.work) {
      this.revoked = true;
      this.work.revoke().catch(() => undefined);
    }
    this.wanted = role;
    this.turn();
  }

  /** Ends after what is under way, and begins nothing any more. */
  async stop(): Promise<void> {
    this.wanted = "idle";
    this.turn();
    await this.turns;
  }

  private turn(): void {
    this.turns = this.turns.then(async () => {
      if (this.role === this.wanted && !this.revoked) return;
      this.revoked = false;
      await this.work?.stop();
      this.work = undefined;
      this.role = this.wanted;
      if (this.wanted !== "idle") this.work = this.begin[this.wanted](this.partition);
    });
  }
}
