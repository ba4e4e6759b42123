import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parsePosition } from "../../schemas/position.js";
import { partitionOf } from "../../streams/kafka/out-records.js";
import { kafkaBrokers } from "../harness/given-servers.js";
import { getJson, KindredCluster, metric, type RowsAnswer, send } from "../harness/kafka-cluster.js";
import { kcat } from "../harness/kcat.js";
import { kindred, kindredJson } from "../harness/kindred-process.js";
import { eventually } from "./kafka-fixture.js";

type Node = Awaited<ReturnType<KindredCluster["start"]>>;
interface Taken {
  readonly accepted: number;
  readonly rejected: readonly { readonly index: number; readonly code: string }[];
  readonly position: string;
}
interface Profile {
  readonly events: number;
}

const PARTITIONS = 4;
const NOW = Date.now();
const users = Array.from({ length: 40 }, (_, i) => `listener-${i}`);
const eventsOf = (which: readonly string[], item: string, ts = NOW - 1000): object[] =>
  which.map((user, i) => ({ user, item: `song:${item}${i % 8}`, action: "play", ts: ts + i }));

describe("an updater, a recall node and one that is both", () => {
  const cluster = new KindredCluster({ brokers: kafkaBrokers() }, `roles-${randomUUID().slice(0, 8)}`, {
    KINDRED_KAFKA__PARTITIONS: String(PARTITIONS),
    // A killed member is missed sooner; the lag is looked for four times in the other.
    KINDRED_KAFKA__SESSION_TIMEOUT_MS: "6000",
    KINDRED_KAFKA__WATCHDOG_MS: "4000",
  });
  let updater: Node;
  let recall: Node;
  let all: Node;
  beforeAll(async () => {
    [updater, recall] = await Promise.all([cluster.start("updater"), cluster.start("recall")]);
    all = await cluster.start("all");
  });
  afterAll(() => cluster.close());

  const topic = (which: string): string => `${cluster.name}.${which}`;
  const wrongRole = { status: 421, body: expect.objectContaining({ code: "WRONG_ROLE" }) };
  const profile = (node: Node, user: string) => send<Profile>("GET", `${node.url}/v1/users/${user}`);

  it("take events, as JSON and as NDJSON, and a recall node of another process answers with them", async () => {
    const nodes = [updater, recall, all];
    for (const [i, node] of nodes.entries()) {
      const sent = await send<Taken>("POST", `${node.url}/v1/events`, { events: [...eventsOf(users, `${i}`), { user: "nobody" }] });
      expect(sent).toMatchObject({ status: 202, body: { accepted: 40, rejected: [{ index: 40, code: "EVENT_ITEM" }] } });
      expect(parsePosition(sent.body.position).size).toBe(PARTITIONS);
      for (const asked of [recall, all]) {
        const after = `after=${encodeURIComponent(sent.body.position)}&waitMs=10000`;
        const found = await send<{ fresh: boolean; results: { id: string }[] }>(
          "GET",
          `${asked.url}/v1/recall/u2u?user=${users[0]}&${after}`,
        );
        expect(found).toMatchObject({ status: 200, body: { fresh: true } });
        expect(found.body.results.length).toBeGreaterThan(0);
        expect((await profile(asked, users[39] as string)).body.events).toBe(i + 1);
      }
    }
    const lines = eventsOf(users.slice(0, 3), "9").map((event) => JSON.stringify(event));
    const answer = await fetch(`${updater.url}/v1/events`, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: lines.join("\n"),
    });
    expect([answer.status, ((await answer.json()) as Taken).accepted]).toEqual([202, 3]);
  });

  it("take items; a recall node of another process knows them and names them in explanations", async () => {
    const one = { type: "song", title: "One", creators: ["artist:1"], tags: ["calm"] };
    expect((await send("PUT", `${updater.url}/v1/items/song:00`, one)).status).toBeLessThan(300);
    const many = {
      items: [
        { item: "song:10", type: "song", title: "Two" },
        { item: "song:20", type: "song", title: "Three" },
      ],
    };
    expect((await send("POST", `${recall.url}/v1/items`, many)).status).toBeLessThan(300);
    for (const [item, title] of [
      ["song:00", "One"],
      ["song:10", "Two"],
      ["song:20", "Three"],
    ])
      await eventually(async () => (await send<{ title?: string }>("GET", `${recall.url}/v1/items/${item}`)).body.title === title);
    const explained = await send<{ results: { explanation: { items: { id: string; title?: string }[] } }[] }>(
      "GET",
      `${recall.url}/v1/recall/u2u?user=${users[0]}&explain=true`,
    );
    const items = explained.body.results.flatMap(({ explanation }) => explanation.items);
    expect(items).toContainEqual(expect.objectContaining({ id: "song:10", title: "Two" }));
  });

  it("give what models are trained on: a node with all rows from them, anybody else from the topic", async () => {
    const out = await cluster.directory("models");
    const train = (...source: string[]): Promise<{ items: number; users: number; rejected: number; events?: number }> =>
      kindredJson(["train", "item2vec", ...source, "--out", `${out}/${source[0]}`, "--dims", "8", "--epochs", "1"], cluster.env);
    const ofRows = await train("--url", recall.url);
    const ofTopic = await train("--from", "kafka", "--data-dir", `${out}/data`);
    expect(ofTopic).toMatchObject({ items: ofRows.items, users: ofRows.users, rejected: 0, events: 123 });
    expect(ofRows.users).toBe(40);
    expect(await kindred(["train", "item2vec", "--url", updater.url, "--out", `${out}/no`])).toMatchObject({ code: 1 });
  });

  it("say who else to ask for what is not their part", async () => {
    for (const path of [`recall/u2u?user=${users[0]}`, `users/${users[0]}`, `users/${users[0]}/neighbors`, "items/song:00"])
      expect(await send("GET", `${updater.url}/v1/${path}`)).toMatchObject(wrongRole);
    expect(await send("DELETE", `${updater.url}/v1/users/${users[0]}`)).toMatchObject(wrongRole);
  });

  it("erase a user for good: also after a clean replay, and where a directory was lost", async () => {
    const user = users[5] as string;
    const erased = await send<{ complete: boolean; position: string }>("DELETE", `${recall.url}/v1/users/${user}`);
    expect(erased).toMatchObject({ status: 200, body: { complete: true } });
    for (const node of [recall, all]) {
      await eventually(async () => (await profile(node, user)).status === 404);
      const found = await send<{ results: { id: string }[] }>("GET", `${node.url}/v1/recall/u2u?user=${users[13]}&limit=50`);
      expect(found.body.results.map(({ id }) => id)).not.toContain(user);
    }
    // The catalogue of the items: it is made once they have been quiet for a moment.
    const rows = () => getJson<RowsAnswer & { catalogue: number }>(`${recall.url}/v1/state/hash`);
    await eventually(async () => (await rows()).catalogue === 2);
    const replayed = await cluster.cleanReplay();
    expect(replayed).toMatchObject({ rows: users.length - 1, rejected: 0 });
    await eventually(async () => (await rows()).hash === replayed.hash);
    const live = await rows();
    await Promise.all([recall.kill(), updater.kill()]);
    await Promise.all([recall, updater].map(({ directory }) => rm(directory, { recursive: true })));
    [updater, recall] = await Promise.all([cluster.start("updater", updater.directory), cluster.start("recall", recall.directory)]);
    expect(await getJson(`${recall.url}/v1/state/hash`)).toMatchObject({ hash: live.hash, rows: live.rows });
    expect((await profile(recall, user)).status).toBe(404);
  });

  it("answer `state` commands, each for the rows that it has", async () => {
    const ask = <T>(node: Node, ...args: string[]) => kindredJson<T>([...args, "--url", node.url], cluster.env);
    const hash = await ask<RowsAnswer>(recall, "state", "hash");
    expect(hash).toEqual(await getJson(`${recall.url}/v1/state/hash`));
    expect(await ask(recall, "state", "verify")).toMatchObject({
      rows: users.length - 1,
      storedHash: hash.hash,
      recomputedHash: hash.hash,
      faultCount: 0,
    });
    expect(await ask(all, "state", "get", users[0] as string)).toMatchObject({ user: users[0], events: 4 });
    expect(await ask<RowsAnswer>(updater, "state", "verify")).toMatchObject({ faultCount: 0 });
    const offline = await kindred(["state", "hash", "--data-dir", await cluster.directory("nothing")], { env: cluster.env });
    expect([offline.code, offline.stderr]).toEqual([2, expect.stringContaining("--url")]);
  });

  it("are ready, and say how far they are", async () => {
    for (const node of [updater, recall, all]) expect((await fetch(`${node.url}/readyz`)).status).toBe(200);
    await send("POST", `${updater.url}/v1/events`, { events: eventsOf(users, "7", Date.now()) });
    const folded = 'kindred_events_total{source="kafka",outcome="folded"}';
    await eventually(async () => ((await metric(updater, folded)) ?? 0) + ((await metric(all, folded)) ?? 0) >= 40);
    for (const node of [recall, all]) {
      // Who was erased acts again, and begins anew.
      await eventually(async () => (await metric(node, "kindred_state_rows")) === users.length);
      await eventually(async () => ((await metric(node, "kindred_event_to_recall_seconds_count")) ?? 0) >= 40);
      expect(await metric(node, 'kindred_event_to_recall_seconds_bucket{le="10"}')).toBe(
        await metric(node, "kindred_event_to_recall_seconds_count"),
      );
    }
    for (const node of [updater, recall, all]) await eventually(async () => (await metric(node, "kindred_source_lag_events")) === 0);
    expect(await metric(recall, folded)).toBeUndefined();
    expect(await metric(updater, "kindred_registry_waiting")).toBe(0);
    const rows = await Promise.all([updater, all].map((node) => metric(node, "kindred_state_rows")));
    expect(rows[0]).toBeLessThan(users.length);
    // What was lost behind was measured by nobody: only what came while the node was there.
    expect(await metric(recall, "kindred_event_to_recall_seconds_count")).toBe(40);
  });

  it("take what kcat produces, by any codec; kcat reads what they write", async () => {
    const brokers = kafkaBrokers();
    const codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    const before = (await profile(recall, users[0] as string)).body.events;
    for (const codec of codecs) {
      const lines = eventsOf(users.slice(0, 5), codec, Date.now()).map((event, i) => `${users[i]}|${JSON.stringify(event)}\n`);
      // librdkafka chooses partitions by another hash unless it is told ours.
      const args = ["-P", "-t", topic("events"), "-K", "|", "-z", codec, "-X", "partitioner=murmur2_random"];
      await kcat(brokers, args, lines.join(""));
    }
    await eventually(async () => (await profile(recall, users[0] as string)).body.events === before + codecs.length);
    await kcat(brokers, ["-P", "-t", topic("events"), "-p", "0"], "no event\n");
    const all = ["-C", "-e", "-q", "-X", "isolation.level=read_committed"];
    const letters = (): Promise<string> => kcat(brokers, [...all, "-t", topic("dead_letters"), "-f", "%k|%h|%s\\n"]);
    await eventually(async () => (await letters()).includes("|no event\n"));
    expect(await letters()).toMatch(new RegExp(`^${topic("events")} 0:\\d+\\|code=RECORD_UNREADABLE,message=.*\\|no event\\n$`));
    const rows = (await kcat(brokers, [...all, "-t", topic("changelog"), "-f", "%p|%k|%S\\n"])).split("\n");
    const of = partitionOf("", Buffer.from(users[0] as string), PARTITIONS);
    expect(rows).toContainEqual(expect.stringMatching(new RegExp(`^${of}\\|u/${users[0]}\\|[1-9]`)));
    const [position] = (await kcat(brokers, [...all, "-t", topic("changelog"), "-p", "0", "-f", "%k|%s\\n"]))
      .split("\n")
      .filter((line) => line.startsWith("p|"))
      .slice(-1);
    expect(JSON.parse(position?.slice(2) ?? "null")).toMatchObject({
      version: 1,
      offset: expect.any(Number),
      hash: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
  });
});
