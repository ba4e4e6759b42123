import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Catalogue } from "../../schemas/catalogue.js";
import type { CatalogueNumber, ItemId } from "../../schemas/ids.js";
import { KafkaCatalogues } from "../../streams/kafka/kafka-catalogues.js";
import { TopicLimits } from "../../streams/kafka/out-records.js";
import { Transactions } from "../../streams/kafka/transactions.js";
import { MemoryStore } from "../harness/memory-store.js";
import { catalogueOf } from "../state/fold-fixture.js";
import { GatedKafka } from "./gated-kafka.js";
import { KafkaFixture } from "./kafka-fixture.js";

const catalogue = (number: number, tags: readonly string[] = ["rock"]): Catalogue =>
  catalogueOf(
    number,
    {},
    tags.map((tag, i) => ({ item: `song:${i}` as ItemId, type: "song", tags: [tag] })),
  );
/** Some 2 MB that no codec makes smaller: three chunks. */
const large = (number: number): Catalogue =>
  catalogue(
    number,
    Array.from({ length: 26_000 }, () => randomBytes(60).toString("base64url")),
  );

describe("the catalogues topic", () => {
  let fixture: KafkaFixture;
  const nodes: KafkaCatalogues[] = [];
  beforeAll(async () => {
    fixture = await new KafkaFixture().open();
  });
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.close()));
    await fixture.close();
  });

  async function node(store = new MemoryStore(), kafka = fixture.kafka): Promise<KafkaCatalogues> {
    const { topics, settings } = fixture;
    const opened = new KafkaCatalogues({
      kafka,
      follower: await fixture.follower(topics.catalogues),
      topic: topics.catalogues,
      store,
      events: { topic: topics.events, partitions: 3 },
      groupId: settings.groupId,
      limits: await new TopicLimits().load(kafka, Object.values(topics)),
      now: () => 77,
    });
    nodes.push(opened);
    await opened.open();
    return opened;
  }

  /** Number of the catalogue that each activation names, by partition. */
  async function activations(): Promise<number[][]> {
    const kept = await fixture.read(fixture.topics.events);
    return [...kept].sort().map(([, records]) =>
      records.map(({ key, value, headers }) => {
        expect([key, String(headers?.kindred)]).toEqual([null, "activate"]);
        return (JSON.parse(String(value)) as { catalogue: number }).catalogue;
      }),
    );
  }

  it("gives every node what the leader publishes, activated in every partition, whole however large it is", async () => {
    const leader = await node();
    const other = await node();
    expect(await other.newest()).toBe(0);
    expect(await other.get(1 as CatalogueNumber)).toBeUndefined();
    await leader.lead();
    const [first, second] = [catalogue(1), large(2)];
    const positions = [await leader.publish(first), await leader.publish(second)];
    expect(await other.get(2 as CatalogueNumber)).toEqual(second);
    expect(await other.get(1 as CatalogueNumber)).toEqual(first);
    expect(await other.newest()).toBe(2);
    expect(await activations()).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
    // Where the first was activated: an offset of each partition, the second behind it and the transaction's marker.
    expect(positions).toEqual([new Map([0, 1, 2].map((p) => [p, 1])), new Map([0, 1, 2].map((p) => [p, 3]))]);
  });

  it("has one leader: who led before can write nothing more, and what it left open is gone", async () => {
    const before = await node();
    await before.lead();
    // As `before` would be, had it died in the middle.
    const torn = new Transactions(fixture.kafka, `${fixture.settings.groupId}-catalogues`, new TopicLimits());
    await torn.open();
    let fenced = (): void => undefined;
    const taken = new Promise<void>((resolve) => {
      fenced = resolve;
    });
    let sent = (): void => undefined;
    const begun = new Promise<void>((resolve) => {
      sent = resolve;
    });
    const { topic, key, value } = {
      topic: fixture.topics.catalogues,
      key: Buffer.from("catalogue/0000000009/00000"),
      value: Buffer.from("x"),
    };
    const left = torn.run(async (send) => {
      await send([{ topic, partition: 0, key, value, headers: { chunks: "1" } }]);
      sent();
      await taken;
    });
    left.catch(() => undefined);
    await begun;
    const now = await node();
    await now.lead();
    fenced();
    expect(await now.newest()).toBe(2);
    await expect(left).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
    await expect(before.publish(catalogue(3, ["lost"]))).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
    await expect(before.publish(catalogue(3, ["lost"]))).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
    await now.publish(catalogue(3, ["jazz"]));
    expect(await (await node()).get(3 as CatalogueNumber)).toEqual(catalogue(3, ["jazz"]));
    expect((await activations()).map((numbers) => numbers.slice(2))).toEqual([[3], [3], [3]]);
    await now.resign();
    await expect(now.publish(catalogue(4))).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
  });

  it("is known after a restart", async () => {
    const store = new MemoryStore();
    await node(store);
    const restarted = await node(store);
    expect(await restarted.get(3 as CatalogueNumber)).toEqual(catalogue(3, ["jazz"]));
  });

  it("publishes nothing or all where the way to the brokers is cut in the middle", async () => {
    const way = new GatedKafka(fixture.settings);
    const leader = await node(new MemoryStore(), way.kafka);
    await leader.lead();
    setTimeout(() => way.close(), 20);
    setTimeout(() => way.open(), 400);
    const outcome = await leader.publish(large(5)).then(
      () => true,
      ({ code }: { code: string }) => {
        expect(code).toBe("BROKER_FAILED");
        return false;
      },
    );
    const next = await node();
    await next.lead();
    const known = await next.get(5 as CatalogueNumber);
    // What failed at the commit may hold; what succeeded does; and the activations always agree.
    if (outcome) expect(known).toBeDefined();
    for (const numbers of await activations()) expect(numbers.includes(5)).toBe(known !== undefined);
  });
});
