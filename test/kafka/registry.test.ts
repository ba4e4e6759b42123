import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  AvroDeserializer,
  AvroSerializer,
  JsonSerializer,
  SchemaRegistryClient,
  SerdeType,
  SubjectNameStrategyType,
} from "@confluentinc/schemaregistry";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type BehaviourEvent, parseEvent } from "../../schemas/event.js";
import { type ItemInfo, parseItemInfo } from "../../schemas/item.js";
import { type EventCodec, registryCodec } from "../../streams/registry/event-codec.js";
import { temporaryDirectory } from "../harness/kindred-process.js";
import { ask, avroProducer, newTopic, RegistryDoor, registryUrl } from "./registry-fixtures.js";

const LATEST = Date.UTC(2030, 0, 1);
const quiet = { warn: () => undefined };
const ever = new AbortController().signal;
const code = (expected: string) => expect.objectContaining({ code: expected });
const TOPIC = { subjectNameStrategyType: SubjectNameStrategyType.TOPIC };
const GOOD = { user: "u", item: "song:1", action: "play", ts: 1_764_000_000_000 };

const event = (sent: object): BehaviourEvent => {
  const parsed = parseEvent(sent, { latestTs: LATEST });
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
};
const item = (sent: object): ItemInfo => {
  const parsed = parseItemInfo(sent);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
};
const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const anyEvent = fc
  .record({
    user: text,
    item: text,
    action: text,
    ts: fc.nat(LATEST),
    id: maybe(text),
    type: maybe(text),
    scene: maybe(text),
    value: maybe(fc.nat()),
  })
  .map(event);
// Avro has no absent list: none and an empty one are the same to everybody who reads them.
const anyItem = fc
  .record({ item: text, type: text, title: maybe(text), creators: fc.array(text), tags: fc.array(text), scene: maybe(text) })
  .map(item);

const avroEvent = (...more: object[]): object => ({
  type: "record",
  name: "Seen",
  fields: [
    { name: "user", type: "string" },
    { name: "item", type: "string" },
    { name: "action", type: { type: "enum", name: "Action", symbols: ["click", "play"] } },
    { name: "ts", type: "long" },
    ...more,
  ],
});

describe("a real schema registry", () => {
  let theirs: SchemaRegistryClient;
  let codec: EventCodec;
  const doors: RegistryDoor[] = [];
  const open = async (): Promise<RegistryDoor> => {
    const door = await new RegistryDoor().open();
    doors.push(door);
    return door;
  };
  beforeAll(() => {
    theirs = new SchemaRegistryClient({ baseURLs: [registryUrl()] });
    codec = registryCodec({ url: registryUrl(), log: quiet });
  });
  afterEach(() => Promise.all(doors.splice(0).map((door) => door.shut())));
  afterAll(async () => {
    theirs.close();
    await codec.close();
  });

  it("gives our events and items an id, and they come back as they were, for us and for its own deserialiser", async () => {
    const [events, items] = [newTopic(), newTopic()];
    const [writeEvent, writeItem] = [await codec.eventEncoder(events), await codec.itemEncoder(items)];
    const deserializer = new AvroDeserializer(theirs, SerdeType.VALUE, TOPIC);
    await codec.ready([writeEvent(event(GOOD)), writeItem(item({ item: "song:1" }))], ever);
    await fc.assert(
      fc.asyncProperty(anyEvent, anyItem, async (sent, described) => {
        const bytes = writeEvent(sent);
        expect(codec.event(bytes, LATEST)).toEqual(sent);
        expect(codec.item(writeItem(described))).toEqual(described);
        const read = (await deserializer.deserialize(events, bytes)) as Record<string, unknown>;
        expect(Object.fromEntries(Object.entries(read).filter(([, value]) => value !== null))).toEqual(sent);
      }),
      { numRuns: 50 },
    );
    const { id, schema } = await ask<{ id: number; schema: string }>("GET", `/subjects/${events}-value/versions/1`);
    expect(JSON.parse(schema)).toMatchObject({ name: "BehaviourEvent", namespace: "kindred" });
    // Golden: zero, the id, then zigzag lengths and text, and a null each for what was not sent.
    const golden = Buffer.concat([
      Buffer.from([0, id >>> 24, id >>> 16, id >>> 8, id]),
      Buffer.from("02750269" + "08706c6179" + "0e" + "00000000", "hex"),
    ]);
    expect(writeEvent(event({ ...GOOD, item: "i", ts: 7 })).toString("hex")).toBe(golden.toString("hex"));
  });

  it("has values of its own Avro and JSON serialisers read by us", async () => {
    const topic = newTopic();
    await ask("POST", `/subjects/${topic}-value/versions`, { schema: JSON.stringify(avroEvent()) });
    const avro = new AvroSerializer(theirs, SerdeType.VALUE, { ...TOPIC, useLatestVersion: true });
    const other = newTopic();
    const schema = { type: "object", properties: { user: { type: "string" }, ts: { type: "string" } } };
    await ask("POST", `/subjects/${other}-value/versions`, { schema: JSON.stringify(schema), schemaType: "JSON" });
    const json = new JsonSerializer(theirs, SerdeType.VALUE, { ...TOPIC, useLatestVersion: true });
    const values = [await avro.serialize(topic, GOOD), await json.serialize(other, { ...GOOD, ts: "2025-11-24T16:00:00Z" })];
    await codec.ready(values, ever);
    expect(values.map((value) => codec.event(value, LATEST))).toEqual([event(GOOD), event(GOOD)]);
  });

  it("serves an old producer and a new one side by side", async () => {
    const topic = newTopic();
    const old = await avroProducer(topic, avroEvent());
    const now = await avroProducer(
      topic,
      avroEvent({ name: "value", type: ["null", "double"], default: null }, { name: "trace", type: "bytes", default: "" }),
    );
    const values = [old(GOOD), now({ ...GOOD, value: 2, trace: Buffer.from("x") }), now({ ...GOOD, value: null, trace: Buffer.alloc(0) })];
    await codec.ready(values, ever);
    expect(values.map((value) => codec.event(value, LATEST))).toEqual([event(GOOD), event({ ...GOOD, value: 2 }), event(GOOD)]);
  });

  it("has schemas that refer to others", async () => {
    const [topic, shared] = [newTopic(), newTopic()];
    const action = { type: "enum", name: "Action", namespace: "shared", symbols: ["play"] };
    await ask("POST", `/subjects/${shared}/versions`, { schema: JSON.stringify(action) });
    const fields = [
      { name: "user", type: "string" },
      { name: "item", type: "string" },
      { name: "action", type: "shared.Action" },
      { name: "ts", type: "long" },
    ];
    const { id } = await ask<{ id: number }>("POST", `/subjects/${topic}-value/versions`, {
      schema: JSON.stringify({ type: "record", name: "E", fields }),
      references: [{ name: "shared.Action", subject: shared, version: 1 }],
    });
    const value = Buffer.concat([Buffer.from([0, id >>> 24, id >>> 16, id >>> 8, id]), Buffer.from("02750269000e", "hex")]);
    await codec.ready([value], ever);
    expect(codec.event(value, LATEST)).toEqual({ user: "u", item: "i", action: "play", ts: 7 });
  });

  it("refuses our schema where the topic has another that it does not fit, and says so", async () => {
    const topic = newTopic();
    await avroProducer(topic, { type: "record", name: "BehaviourEvent", namespace: "kindred", fields: [{ name: "user", type: "long" }] });
    const refused = { code: "SCHEMA_INCOMPATIBLE", canRetry: false, message: expect.stringContaining(`${topic}-value`) };
    await expect(codec.eventEncoder(topic)).rejects.toThrow(expect.objectContaining(refused));
  });

  it("names an id that it does not have, and the good ones go on", async () => {
    const write = await avroProducer(newTopic(), avroEvent());
    const bogus = Buffer.concat([Buffer.from([0, 0x7f, 0xff, 0xff, 0xfe]), write(GOOD).subarray(5)]);
    const values = [bogus, write(GOOD), null];
    await codec.ready(values, ever);
    expect(() => codec.event(bogus, LATEST)).toThrow(code("UNKNOWN_SCHEMA"));
    expect(codec.event(write(GOOD), LATEST)).toEqual(event(GOOD));
  });

  it("cut short at any byte a value is an error with a code, and never another event", async () => {
    const write = await avroProducer(newTopic(), avroEvent());
    const whole = write(GOOD);
    for (let length = 0; length < whole.length; length++) {
      const cut = whole.subarray(0, length);
      await codec.ready([cut], ever);
      expect(() => codec.event(cut, LATEST), `${length} bytes`).toThrow(code("RECORD_UNREADABLE"));
    }
    expect(() => codec.event(Buffer.concat([whole, Buffer.from([0])]), LATEST)).toThrow(code("RECORD_UNREADABLE"));
  });

  it("that is away is waited for, nothing is refused, and known ids go on", async () => {
    const door = await open();
    const [known, unknown] = [
      await avroProducer(newTopic(), avroEvent()),
      await avroProducer(newTopic(), avroEvent({ name: "x", type: "int" })),
    ];
    const waiting = registryCodec({ url: door.url, log: quiet });
    await waiting.ready([known(GOOD)], ever);
    await door.shut();
    const value = unknown({ ...GOOD, x: 1 });
    let ready = false;
    const done = waiting.ready([value, known(GOOD)], ever).then(() => {
      ready = true;
    });
    await waiting.ready([known(GOOD)], ever);
    expect(waiting.event(known(GOOD), LATEST)).toEqual(event(GOOD));
    await sleep(700);
    expect([ready, waiting.stats().waiting, waiting.stats().failures > 1]).toEqual([false, 1, true]);
    expect(() => waiting.event(value, LATEST)).toThrow(expect.objectContaining({ code: "REGISTRY_FAILED", canRetry: true }));
    await expect(waiting.eventEncoder(newTopic())).rejects.toThrow(code("REGISTRY_FAILED"));
    await door.open();
    await done;
    expect(waiting.event(value, LATEST)).toEqual(event(GOOD));
    expect(await waiting.eventEncoder(newTopic())).toBeInstanceOf(Function);
    await waiting.close();
  });

  it("is not needed by a start that finds its schemas kept, and is asked where one is damaged", async () => {
    const place = await temporaryDirectory("registry");
    const door = await open();
    const [one, two] = [await avroProducer(newTopic(), avroEvent()), await avroProducer(newTopic(), avroEvent({ name: "y", type: "int" }))];
    const values = [one(GOOD), two({ ...GOOD, y: 2 })];
    const options = { url: door.url, cacheDirectory: place.path, log: quiet };
    const first = registryCodec(options);
    await first.ready(values, ever);
    const topic = newTopic();
    const written = (await first.eventEncoder(topic))(event(GOOD));
    await first.close();
    await door.shut();
    const second = registryCodec(options);
    await second.ready(values, ever);
    expect(values.map((value) => second.event(value, LATEST))).toEqual([event(GOOD), event(GOOD)]);
    expect(second.stats().fetches).toBe(0);
    // What it wrote it goes on writing; what it never has it cannot.
    const again = (await second.eventEncoder(topic))(event(GOOD));
    expect([again, second.event(again, LATEST)]).toEqual([written, event(GOOD)]);
    await expect(second.eventEncoder(newTopic())).rejects.toThrow(code("REGISTRY_FAILED"));
    await second.close();

    await door.open();
    const asked = door.asked.length;
    const id = values[0]?.readUInt32BE(1);
    writeFileSync(join(place.path, `${id}.json`), "{");
    const third = registryCodec(options);
    await third.ready(values, ever);
    expect(third.event(one(GOOD), LATEST)).toEqual(event(GOOD));
    expect(door.asked.slice(asked)).toEqual([`GET /schemas/ids/${id}`]);
    expect(readdirSync(place.path).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    await third.close();
    await place.remove();
  });
});
