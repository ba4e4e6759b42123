import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { StateSummary } from "../../schemas/ports/admin.js";
import { covers, type Position } from "../../schemas/position.js";
import { HashSum } from "../../state/state-hash.js";
import { kafkaBrokers } from "../harness/given-servers.js";
import { KindredCluster } from "../harness/kafka-cluster.js";
import { event, eventually } from "./kafka-fixture.js";
import { KafkaNodes } from "./kafka-nodes.js";

type Started = Awaited<ReturnType<KafkaNodes["start"]>>;

const USERS = 200;
const ROUNDS = 4;
const SLOW_MS = 30_000;
const rounds = (from: number): ReturnType<typeof event>[][] =>
  Array.from({ length: ROUNDS }, (_, n) =>
    Array.from({ length: USERS }, (_, u) => event(`u${u}`, `song:${(u + n) % 20}`, { ts: 1_700_000_000_000 + from + n })),
  );

describe("another member goes on", () => {
  let nodes: KafkaNodes;
  afterEach(() => nodes.close());

  const summary = ({ node }: Started): Promise<StateSummary> => node.owner.summary();
  const together = async (...owners: Started[]): Promise<string> =>
    HashSum.total((await Promise.all(owners.map(summary))).map(({ hash }) => hash));
  /** What is sent is folded by these owners together. */
  async function folded(from: number, ...owners: Started[]): Promise<void> {
    for (const round of rounds(from)) {
      const position = await (owners[0] as Started).node.intake.append(round);
      await covered(position, ...owners);
    }
  }
  const covered = (position: Position, ...owners: Started[]): Promise<void> =>
    eventually(async () => {
      const at = await Promise.all(owners.map(async (owner) => [...(await summary(owner)).position]));
      return covers(new Map(at.flat()), position);
    }, SLOW_MS);
  /** How many partitions it has, open and folded. */
  const has = (owner: Started, many: number): Promise<void> =>
    eventually(async () => (await summary(owner)).position.size === many, SLOW_MS);
  /** How many records of the changelog were read for each partition that it was given, in order. */
  const restored = ({ lines }: Started): number[] =>
    lines.filter(({ message }) => message === "a partition is ours").map((line) => Number(line.restored));
  const stores = ({ directory }: Started): string[] => ["0", "1"].filter((one) => existsSync(join(directory, "state", one)));

  it("with hardly anything to read where it was a standby, with all of the changelog where it was not: the same rows", async () => {
    nodes = new KafkaNodes(kafkaBrokers(), { partitions: 2 });
    const first = await nodes.start("updater");
    await folded(0, first);
    const warm = await nodes.start("updater", undefined, { standby: true });
    await Promise.all([first, warm].map((one) => has(one, 1)));
    await folded(100, first, warm);
    const before = await together(first, warm);
    expect(stores(warm)).toEqual(["0", "1"]);
    await first.close();
    await has(warm, 2);
    expect((await summary(warm)).hash).toBe(before);
    const [cold, taken] = restored(warm) as [number, number];
    expect(cold).toBeGreaterThan((ROUNDS * USERS) / 4);
    // The newest commit may have been on its way.
    expect(taken).toBeLessThan(cold / 4);

    const another = await nodes.start("updater");
    await Promise.all([another, warm].map((one) => has(one, 1)));
    expect(stores(another)).toHaveLength(1);
    await warm.close();
    await has(another, 2);
    expect((await summary(another)).hash).toBe(before);
    for (const records of restored(another)) expect(records).toBeGreaterThan((ROUNDS * USERS) / 2);
    expect((await another.node.owner.verify()).faultCount).toBe(0);
  });

  it("makes the catalogue that the leader was killed before it made; rows follow it, and so does a recall node", async () => {
    nodes = new KafkaNodes(kafkaBrokers(), { partitions: 2 });
    const cluster = new KindredCluster({ brokers: kafkaBrokers() }, nodes.name, {
      KINDRED_KAFKA__PARTITIONS: "2",
      KINDRED_KAFKA__SESSION_TIMEOUT_MS: "6000",
      KINDRED_GENERATION0__DIMS: "16",
    });
    try {
      const leader = await cluster.start("updater");
      const recall = await nodes.start("recall");
      for (const round of rounds(0)) await covered(await recall.node.intake.append(round), recall);
      const before = await recall.node.owner.profile("u1" as never);
      expect(before).toMatchObject({ catalogue: 1, events: ROUNDS });
      expect(before?.keywords.map(({ keyword }) => keyword).join()).not.toContain("calm");
      const songs = Array.from({ length: 20 }, (_, i) => ({ item: `song:${i}`, type: "song", tags: [i % 2 === 0 ? "calm" : "loud"] }));
      await recall.node.intake.putItems(songs as never);
      await leader.kill();
      const next = await nodes.start("updater");
      await eventually(async () => {
        const { catalogue, migrating, position } = await summary(next);
        return catalogue === 2 && !migrating && position.size === 2;
      }, SLOW_MS);
      const replayed = await cluster.cleanReplay();
      expect(replayed.rows).toBe(USERS);
      for (const one of [next, recall]) await eventually(async () => (await summary(one)).hash === replayed.hash);
      const after = await recall.node.owner.profile("u1" as never);
      expect(after).toMatchObject({ catalogue: 2, events: ROUNDS });
      expect(after?.keywords.map(({ keyword }) => keyword).join()).toContain("calm");
      expect(after?.fingerprint).not.toBe(before?.fingerprint);
      for (const node of [next, recall]) expect((await node.node.owner.verify()).faultCount).toBe(0);
    } finally {
      await cluster.close();
    }
  });
});
