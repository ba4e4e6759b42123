import type { KafkaMessage } from "kafkajs";
import { describe, expect, it } from "vitest";
import { RandomIndexing } from "../../../models/item-vectors/random-indexing.js";
import type { ChangelogBatch, ChangelogRecord } from "../../../schemas/ports/changelog.js";
import type { Log } from "../../../schemas/ports/log.js";
import { PartitionReplica } from "../../../state/partition-replica.js";
import { ReplicaReader } from "../../../streams/kafka/replica-reader.js";
import type { Follower, TopicFollower } from "../../../streams/kafka/topic-follower.js";
import { MemoryCatalogues } from "../../harness/memory-catalogues.js";
import { MemoryChangelog } from "../../harness/memory-changelog.js";
import { activate, catalogueOf, event, positioned, SlowStore, TestPartition } from "../../state/fold-fixture.js";

const catalogue = catalogueOf(1);
const log: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Reads a changelog in memory as a broker would hand it out: a slice at a time, the next when the last was taken. */
class MemoryFollower implements Pick<TopicFollower, "follow" | "unfollow" | "caughtUp" | "failed"> {
  readonly failed = new AbortController().signal;
  private follower: Follower | undefined;
  private next = 0;

  /** @param owed slices that are handed out some time after the end was reached: the owner goes on writing */
  constructor(
    private readonly changelog: MemoryChangelog,
    private readonly owed = 0,
  ) {}

  follow(_topic: string, _partition: number, from: number, follower: Follower): void {
    this.follower = follower;
    this.next = from;
  }

  unfollow(): void {
    this.follower = undefined;
  }

  async caughtUp(): Promise<void> {
    const slices = [...this.changelog.slices(this.next, 3)];
    const now = slices.length - this.owed;
    await this.hand(slices.slice(0, now));
    if (this.owed > 0) setTimeout(() => void this.hand(slices.slice(now)), 20);
  }

  private async hand(slices: readonly ChangelogBatch[]): Promise<void> {
    for (const { records, next } of slices) {
      await this.follower?.take(records.map(({ key, value }) => ({ key, value })) as KafkaMessage[], next);
      this.next = next;
    }
  }
}

async function changelogOf(events: number): Promise<{ changelog: MemoryChangelog; owner: TestPartition }> {
  const changelog = new MemoryChangelog();
  const owner = await TestPartition.open([catalogue], { changelog });
  await owner.run(positioned([activate(1), ...Array.from({ length: events }, (_, i) => event(`u${i % 5}`, `i${i}`, i / 10))]), 4);
  return { changelog, owner };
}

async function readerOf(changelog: MemoryChangelog, applied?: () => Promise<void>, owed = 0, told: Log = log) {
  const catalogues = new MemoryCatalogues();
  await catalogues.put(catalogue);
  const parts = { store: new SlowStore(), partition: 0 as never, catalogues, itemVectors: RandomIndexing.of };
  const replica = await PartitionReplica.open(parts);
  const follower = new MemoryFollower(changelog, owed);
  const reader = new ReplicaReader({ follower, topic: "changelog", replica, log: told, ...(applied && { applied }) });
  return { replica, follower, reader };
}

describe("ReplicaReader", () => {
  it("has applied the whole changelog when it says so, though the store takes its time; and what follows when it was taken", async () => {
    const { changelog, owner } = await changelogOf(50);
    const { replica, follower, reader } = await readerOf(changelog);
    await reader.readToEnd(new AbortController().signal);
    expect([replica.complete, replica.changelogNext]).toEqual([true, changelog.end]);
    expect(replica.summary()).toEqual(owner.state.summary());
    await owner.run([{ offset: 52 as never, record: event("u1", "later", 9) }]);
    await follower.caughtUp();
    expect([replica.changelogNext, replica.summary().hash]).toEqual([changelog.end, owner.hash]);
    await reader.stop();
  });

  it("reads on to the end of a commit where the owner is in the middle of one, and begins nothing anew", async () => {
    const { changelog, owner } = await changelogOf(40);
    // The last commit is cut: four rows and a position in slices of three.
    const warned: string[] = [];
    const { replica, reader } = await readerOf(changelog, undefined, 1, { ...log, warn: (_, message) => void warned.push(message) });
    await reader.readToEnd(new AbortController().signal);
    expect([replica.complete, replica.changelogNext, replica.summary().hash]).toEqual([true, changelog.end, owner.hash]);
    expect(warned).toEqual([]);
    await reader.stop();
  });

  it("does not wait for ever where the changelog ends with what ends no commit", async () => {
    const { changelog } = await changelogOf(5);
    const [row] = changelog.records;
    await changelog.write([row as ChangelogRecord]);
    const { reader } = await readerOf(changelog);
    await expect(reader.readToEnd(new AbortController().signal)).rejects.toMatchObject({ code: "STATE_INCOMPLETE" });
    await reader.stop();
  }, 60_000);

  it("ends with its signal while it waits for the rest of a commit", async () => {
    const { changelog } = await changelogOf(40);
    const { follower, reader } = await readerOf(changelog, undefined, 1);
    const stop = new AbortController();
    const reading = reader.readToEnd(stop.signal);
    await new Promise((resolve) => setImmediate(resolve));
    stop.abort(new Error("stopped"));
    await expect(reading).rejects.toThrow("stopped");
    follower.unfollow();
    await reader.stop();
  });

  it("tells of what follows the end, not of what came before it, and takes the next when that was heard", async () => {
    const { changelog, owner } = await changelogOf(20);
    const heard: string[] = [];
    const { follower, reader } = await readerOf(changelog, async () => {
      heard.push("begun");
      await new Promise((resolve) => setImmediate(resolve));
      heard.push("ended");
    });
    await reader.readToEnd(new AbortController().signal);
    expect(heard).toEqual([]);
    for (const [i, user] of ["u1", "u2"].entries()) {
      await owner.run([{ offset: (22 + i) as never, record: event(user, "later", 9) }]);
      await follower.caughtUp();
      heard.push(`taken ${user}`);
    }
    expect(heard).toEqual(["begun", "ended", "taken u1", "begun", "ended", "taken u2"]);
    await reader.stop();
  });
});
