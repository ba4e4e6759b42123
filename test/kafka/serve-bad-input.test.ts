import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Message } from "kafkajs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BEHAVIOUR_EVENT_AVRO } from "../../schemas/avro.js";
import { partitionOf } from "../../streams/kafka/out-records.js";
import { kafkaBrokers } from "../harness/given-servers.js";
import { KindredCluster, metric, send } from "../harness/kafka-cluster.js";
import { kindredJson } from "../harness/kindred-process.js";
import { TestTopics } from "../harness/test-topics.js";
import { eventually } from "./kafka-fixture.js";
import { ask, avroProducer, framed, RegistryDoor } from "./registry-fixtures.js";

type Node = Awaited<ReturnType<KindredCluster["start"]>>;
interface Letter {
  readonly number: number;
  readonly code: string;
  readonly origin: string;
  readonly message: string;
  readonly original: string;
}

const PARTITIONS = 3;
const NOW = Date.now();
const DAY = 86_400_000;
const MEGABYTE = 1_000_000;
const name = `bad-${randomUUID().slice(0, 8)}`;
const partition = (user: string): number => partitionOf("", Buffer.from(user), PARTITIONS);
/** The i-th user of a partition. */
function userOf(wanted: number, i: number): string {
  for (let n = 0, seen = 0; ; n++) if (partition(`u${n}`) === wanted && seen++ === i) return `u${n}`;
}
const [USER, OTHER] = [userOf(0, 0), userOf(0, 1)];

/** Ours, of an earlier day and of a later one. */
const schemaOf = (fields: readonly object[]): object => ({ ...BEHAVIOUR_EVENT_AVRO, fields });
const OLD = schemaOf(BEHAVIOUR_EVENT_AVRO.fields.slice(0, 4));
const NEW = schemaOf([...BEHAVIOUR_EVENT_AVRO.fields, { name: "comment", type: ["null", "string"], default: null }]);
const NEWER = schemaOf([...BEHAVIOUR_EVENT_AVRO.fields, { name: "mood", type: ["null", "string"], default: null }]);

describe("whatever lies on the events topic", () => {
  const door = new RegistryDoor();
  const topics = new TestTopics(kafkaBrokers());
  let cluster: KindredCluster;
  let node: Node;
  let old: (value: object) => Buffer;
  let current: (value: object) => Buffer;
  let count = 0;

  const event = (user: string): object => ({ user, item: `song:${count % 7}`, action: "play", ts: NOW + count++ });
  const full = (user: string): object => ({ ...event(user), id: null, type: null, scene: null, value: null, comment: null });
  const produce = (...messages: Message[]) => topics.produce(`${name}.events`, messages);
  const good = (user: string): Message => ({ key: user, value: current(full(user)), partition: partition(user) });
  const events = async (user: string): Promise<number> =>
    (await send<{ events?: number }>("GET", `${node.url}/v1/users/${user}`)).body.events ?? 0;
  const counts = (user: string, many: number): Promise<void> => eventually(async () => (await events(user)) === many);
  const letters = async (...args: string[]): Promise<Letter[]> =>
    (await kindredJson<{ deadLetters: Letter[] }>(["dead-letters", "list", ...args], cluster.env)).deadLetters;

  beforeAll(async () => {
    await door.open();
    cluster = new KindredCluster({ brokers: kafkaBrokers() }, name, {
      KINDRED_KAFKA__PARTITIONS: String(PARTITIONS),
      KINDRED_KAFKA__FORMAT: "registry",
      KINDRED_KAFKA__SESSION_TIMEOUT_MS: "6000",
      KINDRED_REGISTRY__URL: door.url,
    });
    old = await avroProducer(`${name}.events`, OLD);
    node = await cluster.start("all");
    current = await avroProducer(`${name}.events`, NEW);
  });
  afterAll(async () => {
    await cluster?.close();
    await topics.close();
    await door.shut();
  });

  it("an old and a new producer, and this one, side by side", async () => {
    await produce(
      { key: USER, value: old(event(USER)), partition: 0 },
      { key: USER, value: current({ ...full(USER), scene: "music", comment: "of later" }), partition: 0 },
    );
    expect((await send("POST", `${node.url}/v1/events`, { events: [event(USER)] })).status).toBe(202);
    await counts(USER, 3);
  });

  it("what is no event is a dead letter that says why; what follows is folded; repaired, it counts once", async () => {
    const value = current(full(USER));
    const big = { ...full(USER), comment: "x".repeat(MEGABYTE) };
    const bad: [code: string, Message][] = [
      ["RECORD_UNREADABLE", { key: USER, value: Buffer.concat([Buffer.from([7]), value.subarray(1)]) }],
      ["UNKNOWN_SCHEMA", { key: USER, value: Buffer.concat([Buffer.from([0, 0x3f, 1, 2, 3]), value.subarray(5)]) }],
      ["RECORD_UNREADABLE", { key: USER, value: value.subarray(0, value.length - 3) }],
      ["RECORD_KEY", { key: OTHER, value }],
      ["RECORD_KEY", { key: null, value }],
      ["RECORD_UNREADABLE", { key: USER, value: Buffer.alloc(MEGABYTE, 0xa5) }],
      ["EVENT_TIME", { key: USER, value, timestamp: String(NOW - 30 * DAY) }],
      ["EVENT_USER", { key: USER, value: old({ ...event(USER), user: "" }) }],
      ["RECORD_UNREADABLE", { key: USER, value: "gone", headers: { kindred: "erase" } }],
      ["RECORD_UNREADABLE", { key: USER, value: JSON.stringify({ user: USER, at: NOW + 30 * DAY }), headers: { kindred: "erase" } }],
      ["RECORD_KEY", { key: OTHER, value: JSON.stringify({ user: USER, at: NOW + DAY }), headers: { kindred: "erase" } }],
      ["RECORD_UNREADABLE", { key: null, value: JSON.stringify({ catalogue: 999 }), headers: { kindred: "activate" } }],
      ["RECORD_UNREADABLE", { key: null, value: "null", headers: { kindred: "activate" } }],
      ["RECORD_UNREADABLE", { key: USER, value, headers: { kindred: "dance" } }],
    ];
    const messages: Message[] = [...bad.map(([, message]) => message), { key: USER, value: null }, { key: USER, value: current(big) }];
    for (const message of messages) await produce({ ...message, partition: 0 });
    await produce(good(USER), good(userOf(1, 0)), good(userOf(2, 0)));
    await counts(USER, 5);
    await counts(userOf(1, 0), 1);
    await counts(userOf(2, 0), 1);
    const listed = await letters("--url", node.url);
    expect(listed.map(({ code }) => code)).toEqual(bad.map(([code]) => code));
    expect(new Set(listed.map(({ origin }) => origin.split(":")[0]))).toEqual(new Set([`${name}.events 0`]));
    expect(listed.map(({ original }) => original.length).filter((length) => length > MEGABYTE / 4)).toEqual([]);
    expect(await letters("--data-dir", await cluster.directory("commands"))).toEqual(listed);
    await eventually(async () => (await metric(node, 'kindred_dead_letters_total{code="RECORD_KEY"}')) === 3);
    expect(await metric(node, 'kindred_events_total{source="kafka",outcome="erased"}')).toBe(1);

    const repairs = join(await cluster.directory("repairs"), "repairs.ndjson");
    const repaired = listed
      .slice(0, 6)
      .map(({ number }) => JSON.stringify({ number, event: { ...event(USER), id: `repaired-${number}` } }));
    await writeFile(repairs, repaired.join("\n"));
    const replay = (...args: string[]) => kindredJson<object>(["dead-letters", "replay", ...args], cluster.env);
    expect(await replay("--repairs", repairs, "--url", node.url)).toMatchObject({ replayed: 6, failed: 0 });
    await counts(USER, 11);
    expect(await replay("--repairs", repairs, "--url", node.url)).toMatchObject({ replayed: 0, failed: 6 });
    // Of the rest, as it is: its time is not in the future any more; and an event under a header that says nothing is one without it.
    expect(await replay("--url", node.url)).toMatchObject({ replayed: 2 });
    await counts(USER, 13);
    expect((await letters("--url", node.url)).length).toBe(bad.length - 8);
    const hash = await send<{ hash: string }>("GET", `${node.url}/v1/state/hash`);
    expect(await cluster.cleanReplay()).toMatchObject({ hash: hash.body.hash, rejected: bad.length });
    expect(await metric(node, 'kindred_events_total{source="kafka",outcome="duplicate"}')).toBeUndefined();
  });

  it("a schema that nobody knows while the registry is away: its partition waits, the others go on, nothing is dropped", async () => {
    const { id } = await ask<{ id: number }>("POST", `/subjects/${name}.events-value/versions`, { schema: JSON.stringify(NEWER) });
    const newer = framed(id, NEWER);
    const [waits, goes] = [userOf(1, 1), userOf(2, 1)];
    await door.shut();
    const value = newer({ ...full(waits), mood: "calm" });
    await produce({ key: waits, value, partition: 1 }, good(goes), { ...good(waits), partition: 1 });
    await counts(goes, 1);
    await eventually(async () => (await metric(node, "kindred_registry_waiting")) === 1);
    await eventually(async () => ((await metric(node, "kindred_registry_failures_total")) ?? 0) > 0);
    await produce(good(goes));
    await counts(goes, 2);
    expect(await events(waits)).toBe(0);
    await door.open();
    await counts(waits, 2);
    await eventually(async () => (await metric(node, "kindred_registry_waiting")) === 0);
  });

  it("a start without the registry: schemas that were known are", async () => {
    await node.stop();
    await door.shut();
    node = await cluster.start("all", node.directory);
    const user = userOf(1, 2);
    await produce(good(user), { key: user, value: old(event(user)), partition: 1 });
    await counts(user, 2);
    expect((await send("POST", `${node.url}/v1/events`, { events: [event(user)] })).status).toBe(202);
    await counts(user, 3);
    await door.open();
  });
});
