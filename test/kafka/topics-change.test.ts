import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StateSummary } from "../../schemas/ports/admin.js";
import { kafkaBrokers } from "../harness/given-servers.js";
import { kafkaEnvironment } from "../harness/kafka-cluster.js";
import { kindred } from "../harness/kindred-process.js";
import { event, eventually } from "./kafka-fixture.js";
import { KafkaNodes } from "./kafka-nodes.js";

const mismatch = (message: string) => expect.objectContaining({ code: "TOPIC_MISMATCH", message: expect.stringContaining(message) });

/** Topics are not what they were: each time the state must not become what no replay makes of them. */
describe("topics that change behind the rows", () => {
  let nodes: KafkaNodes;
  beforeEach(() => {
    nodes = new KafkaNodes(kafkaBrokers(), { partitions: 2, watchdogMs: 2_000, maxBytesPerPartition: 1_024 });
  });
  afterEach(() => nodes.close());

  type Started = Awaited<ReturnType<KafkaNodes["start"]>>;
  const summary = ({ node }: Started): Promise<StateSummary> => node.owner.summary();
  /** Events of 20 users, all folded: 10 a partition or so. */
  async function folded(updater: Started, times = 1, item = "song:1"): Promise<StateSummary> {
    for (let i = 0; i < times; i++) {
      const position = await updater.node.intake.append(
        Array.from({ length: 20 }, (_, n) => event(`u${n}`, item, { ts: 1_700_000_000_000 + n })),
      );
      await eventually(async () => {
        const { position: at } = await summary(updater);
        return [...position].every(([partition, offset]) => (at.get(partition) ?? 0) >= offset);
      });
    }
    return summary(updater);
  }
  const admin = () => nodes.topics.admin();
  /** As retention does. kafkajs knows a topic only once it was asked for. */
  async function deleteTo(partition: number, offset: number): Promise<void> {
    await (await admin()).fetchTopicOffsets(nodes.topic("events"));
    await (await admin()).deleteTopicRecords({ topic: nodes.topic("events"), partitions: [{ partition, offset: String(offset) }] });
  }

  it("more partitions than the changelog: TOPIC_MISMATCH where it runs (exit code 1) and at each start", async () => {
    const updater = await nodes.start("updater");
    await folded(updater);
    const serve = ["serve", "--role", "updater", "--port", "0", "--data-dir", await nodes.directory()];
    const env = { ...kafkaEnvironment(kafkaBrokers(), nodes.name), KINDRED_KAFKA__WATCHDOG_MS: "2000" };
    const serving = kindred(serve, { env });
    // It is a member: partitions were given again.
    await eventually(() => updater.lines.filter(({ message }) => message.startsWith("the group gave")).length >= 2);
    await (await admin()).createPartitions({ topicPartitions: [{ topic: nodes.topic("events"), count: 3 }] });
    expect(await updater.failed).toEqual(mismatch("has 3 partitions"));
    await updater.close();
    for (const role of ["updater", "recall"] as const) {
      await expect(nodes.start(role, updater.directory)).rejects.toEqual(mismatch("has 3 partitions"));
    }
    expect(await serving).toMatchObject({ code: 1, stderr: expect.stringContaining("error TOPIC_MISMATCH: ") });
  });

  it("retention cuts what was folded: nothing happens; it cuts what was not: it goes on behind the gap, and says so", async () => {
    const updater = await nodes.start("updater");
    const before = await folded(updater);
    const [partition, offset] = [...before.position][0] as [number, number];
    await deleteTo(partition, offset);
    await updater.close();
    const again = await nodes.start("updater", updater.directory);
    await eventually(async () => (await summary(again)).hash === before.hash);
    await again.close();
    const recall = await nodes.start("recall");
    expect((await summary(recall)).hash).toBe(before.hash);
    await recall.node.intake.append(Array.from({ length: 20 }, (_, n) => event(`u${n}`, "song:lost")));
    const { high } = (await nodes.topics.watermarks(nodes.topic("events")))[partition] as { high: number };
    await deleteTo(partition, high);
    const behind = await nodes.start("updater", updater.directory);
    await folded(behind);
    const gap = behind.lines.find(({ message }) => message.includes("retention has cut"));
    expect(gap).toMatchObject({ partition, from: expect.any(Number), to: high });
    expect(gap?.from).toBeGreaterThanOrEqual(offset);
    expect((await summary(behind)).rows).toBe(20);
  });

  it("made anew with fewer records than were folded: TOPIC_MISMATCH, at once where it runs and at the next start", async () => {
    const updater = await nodes.start("updater");
    await folded(updater);
    await (await admin()).deleteTopics({ topics: [nodes.topic("events")] });
    await eventually(async () => !(await (await admin()).listTopics()).includes(nodes.topic("events")));
    await (await admin()).createTopics({ topics: [{ topic: nodes.topic("events"), numPartitions: 2 }], waitForLeaders: true });
    expect(await updater.failed).toEqual(mismatch("emptied or made anew"));
    await updater.close();
    const again = await nodes.start("updater", updater.directory);
    expect(await again.failed).toEqual(mismatch("emptied or made anew"));
  });

  it("a changelog that is gone: TOPIC_MISMATCH, rather than rows that nobody else will ever have", async () => {
    const updater = await nodes.start("updater");
    const recall = await nodes.start("recall");
    const { hash } = await folded(updater);
    await eventually(async () => (await summary(recall)).hash === hash);
    await recall.close();
    await updater.close();
    await (await admin()).deleteTopics({ topics: [nodes.topic("changelog")] });
    await eventually(async () => !(await (await admin()).listTopics()).includes(nodes.topic("changelog")));
    const again = await nodes.start("updater", updater.directory);
    expect(await again.failed).toEqual(mismatch(nodes.topic("changelog")));
    const refused = await nodes.start("recall", recall.directory).catch((error: unknown) => error);
    expect(refused).toEqual(mismatch(nodes.topic("changelog")));
  });
});
