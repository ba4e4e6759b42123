import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RecallNode } from "../../cli/wiring/kafka/recall-node.js";
import type { ServingNode } from "../../cli/wiring/serving-node.js";
import type { BehaviourEvent } from "../../schemas/event.js";
import type { Generation, ItemId, UserId } from "../../schemas/ids.js";
import { kafkaBrokers } from "../harness/given-servers.js";
import { randomModel } from "../harness/made-model.js";
import { eventually } from "./kafka-fixture.js";
import { KafkaNodes } from "./kafka-nodes.js";

const NOW = Date.now();
const users = Array.from({ length: 60 }, (_, i) => `listener-${i}` as UserId);
const items = Array.from({ length: 40 }, (_, i) => `song:${i}` as ItemId);
const event = (n: number): BehaviourEvent => ({
  user: users[(n * 7) % users.length] as UserId,
  item: items[(n * 13 + (n % 11)) % items.length] as ItemId,
  action: "play",
  ts: NOW - 100_000 + n,
});

type Found = Record<string, (string | number)[]>;
/** Neighbours of everybody, and items for everybody, in the space that answers; scores to four digits. */
async function answers(node: RecallNode): Promise<Found> {
  const { model, serving } = node.index ?? expect.fail("no index");
  const found: Found = {};
  const named = (names: readonly string[], scores: Float32Array): (string | number)[] =>
    names
      .map((id, i): [string, number] => [id, Math.round((scores[i] as number) * 1e4) / 1e4])
      .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
      .flat();
  for (const user of users) {
    const ordinal = model.userOrdinal(user) ?? expect.fail(`${user} is unknown`);
    const near = await serving.users.searchFrom(ordinal, { k: 10, exclude: Uint32Array.of(ordinal) });
    found[user] = [serving.generation, ...named(model.userIds(near.ordinals), near.scores)];
    const liked = await serving.items?.outputs.search(serving.users.vector(ordinal) ?? expect.fail("no vector"), { k: 10 });
    if (liked) found[`items of ${user}`] = named(model.itemIds(liked.ordinals), liked.scores);
  }
  return found;
}

describe("generations over Kafka", () => {
  let root = "";
  let shared = "";
  let nodes: KafkaNodes;
  let updaters: Awaited<ReturnType<KafkaNodes["start"]>>[];
  let recall: Awaited<ReturnType<KafkaNodes["start"]>> & { readonly node: ServingNode };
  let sent = 0;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "kindred-kafka-publish-"));
    shared = join(root, "models");
    nodes = new KafkaNodes(kafkaBrokers(), { partitions: 3 }, { models: { directory: shared } });
    updaters = [await nodes.start("updater")];
    updaters.push(await nodes.start("updater"));
    recall = await nodes.start("recall");
  });
  afterAll(async () => {
    await nodes.close();
    await rm(root, { recursive: true, force: true });
  });

  const send = async (count: number): Promise<void> => {
    const events = Array.from({ length: count }, (_, i) => event(sent + i));
    sent += count;
    await updaters[0]?.node.intake.append(events);
  };
  const folded = async (node: RecallNode): Promise<number> =>
    users.reduce((sum, user) => sum + (node.index?.model.user(user)?.events ?? 0), 0);
  const caughtUp = (node: RecallNode): Promise<unknown> => eventually(async () => (await folded(node)) === sent);
  /** By whichever updater makes the catalogues. */
  async function led<T>(work: (node: ServingNode) => Promise<T>): Promise<T> {
    for (;;) {
      for (const { node } of updaters)
        try {
          return await work(node);
        } catch (error) {
          if ((error as { code?: string }).code !== "WRONG_ROLE") throw error;
        }
      await sleep(100);
    }
  }
  const node = (): RecallNode => recall.node as RecallNode;
  const serves = (one: RecallNode, generation: number): Promise<unknown> =>
    eventually(async () => one.index?.serving.generation === generation);

  it("a model published during a stream answers once every partition's rows have it, as a node that starts afresh", async () => {
    await send(600);
    await caughtUp(node());
    expect((await led((one) => one.generations.list())).serving).toBe(0);
    let streaming = true;
    const stream = (async () => {
      while (streaming) {
        await send(20);
        await sleep(50);
      }
    })();
    const publishing = led(async (one) => one.generations.publish(await randomModel(root, items, 1)));
    // Whatever answers has everybody's vector, from the first moment on.
    let looks = 0;
    const looking = (async () => {
      for (; streaming; looks++) {
        const { serving, model } = node().index ?? expect.fail("no index");
        const lacking = users.filter((user) => serving.users.vector(model.userOrdinal(user) as number) === undefined);
        if (lacking.length > 0) throw new Error(`${lacking.length} users have no vector in generation ${serving.generation}`);
        await sleep(5);
      }
    })();
    expect(await publishing).toBe(1);
    await serves(node(), 1);
    await sleep(300);
    streaming = false;
    await Promise.all([stream, looking]);
    expect(looks).toBeGreaterThan(20);
    await caughtUp(node());
    const now = await answers(node());
    const fresh = await nodes.start("recall");
    await serves(fresh.node, 1);
    expect(await answers(fresh.node)).toEqual(now);
    expect(await node().owner.verify()).toMatchObject({ faultCount: 0 });
    await fresh.close();
  });

  it("goes back in one step on every node, and keeps what does not answer up to date", async () => {
    const before = await answers(node());
    await led((one) => one.generations.activate(0 as Generation));
    await serves(node(), 0);
    const hash = (await node().owner.summary()).hash;
    await send(100);
    await caughtUp(node());
    await led((one) => one.generations.activate(1 as Generation));
    await serves(node(), 1);
    const after = await answers(node());
    expect(after).not.toEqual(before);
    expect((await node().owner.summary()).hash).not.toBe(hash);
    const fresh = await nodes.start("recall");
    await serves(fresh.node, 1);
    expect(await answers(fresh.node)).toEqual(after);
    await fresh.close();
  });

  it("a node that lacks the model answers with what it has, says so, and follows once the model is there", async () => {
    const elsewhere = join(root, "late");
    await cp(shared, elsewhere, { recursive: true });
    const late = await nodes.start("recall", undefined, {}, { models: { directory: elsewhere } });
    await serves(late.node, 1);
    expect(await led(async (one) => one.generations.publish(await randomModel(root, items, 2, 8)))).toBe(2);
    await serves(node(), 2);
    await eventually(async () => late.lines.some(({ message }) => message.includes("is not in models.directory")));
    expect(late.node.index?.serving.generation).toBe(1);
    expect(Object.keys(await answers(late.node))).toHaveLength(2 * users.length);
    await cp(shared, elsewhere, { recursive: true });
    await serves(late.node, 2);
    await send(50);
    await Promise.all([caughtUp(node()), caughtUp(late.node)]);
    expect(await answers(late.node)).toEqual(await answers(node()));
    await expect(node().generations.publish(join(root, "model-1"))).rejects.toMatchObject({ code: "WRONG_ROLE" });
    expect((await led((one) => one.generations.retire(1 as Generation))).generations.map(({ ref }) => ref.generation)).toEqual([0, 2]);
    await eventually(async () => node().index?.space(1 as Generation) === undefined);
    expect(await led((one) => one.generations.publish(join(root, "model-1")))).toBe(3);
    await serves(node(), 3);
  });

  it("goes on where whoever made the catalogues leaves as soon as it has published", async () => {
    await led((one) => one.generations.retire(2 as Generation));
    let leader: ServingNode | undefined;
    const generation = await led(async (one) => {
      const published = await one.generations.publish(join(root, "model-2"));
      leader = one;
      return published;
    });
    await nodes.stop(leader as ServingNode);
    updaters = updaters.filter((one) => one.node !== leader);
    expect(generation).toBe(4);
    await serves(node(), 4);
    await send(50);
    await caughtUp(node());
    expect((await led((one) => one.generations.list())).generations.map(({ ref }) => ref.generation)).toEqual([0, 3, 4]);
    expect(await node().owner.verify()).toMatchObject({ faultCount: 0 });
  });
});
