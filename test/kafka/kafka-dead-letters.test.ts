import { afterAll, describe, expect, it } from "vitest";
import type { UserId } from "../../schemas/ids.js";
import { KafkaDeadLetters } from "../../streams/kafka/kafka-dead-letters.js";
import { KafkaProducer } from "../../streams/kafka/kafka-producer.js";
import { LetterReader, LetterSurvey } from "../../streams/kafka/letter-survey.js";
import { TopicLimits } from "../../streams/kafka/out-records.js";
import type { NewDeadLetter } from "../../streams/new-dead-letter.js";
import type { EventCodec } from "../../streams/registry/event-codec.js";
import { event, JsonCodec, KafkaFixture, silent } from "./kafka-fixture.js";

const letter = (n: number, more: Partial<NewDeadLetter> = {}): NewDeadLetter => ({
  code: "EVENT_ACTION",
  message: "action must be one of play",
  origin: `kindred.events 0:${n}`,
  original: Buffer.from(JSON.stringify({ ...event("ann", `song:${n}`), action: "hum" })),
  ...more,
});

/** A codec of a format that is not JSON: the event's JSON behind a magic byte. */
class MagicCodec extends JsonCodec {
  override event(value: Uint8Array, latestTs: number) {
    return super.event(value.subarray(1), latestTs);
  }
}

/** Topics of its own, and one node on them. */
class Node {
  readonly fixture: KafkaFixture;
  readonly actions = new Set(["play"]);
  letters!: KafkaDeadLetters;
  private producer!: KafkaProducer;

  constructor(fixture = new KafkaFixture()) {
    this.fixture = fixture;
  }

  async open(more: { maxLetters?: number; codec?: EventCodec; maxPendingRecords?: number } = {}): Promise<this> {
    const { kafka, settings, topics } = this.fixture;
    const limits = new TopicLimits();
    const options = { maxPendingBytes: 1e8, maxPendingRecords: more.maxPendingRecords ?? 1e5 };
    this.producer = await new KafkaProducer(kafka, limits, options, silent).open();
    this.letters = new KafkaDeadLetters({
      kafka,
      settings,
      producer: this.producer,
      codec: more.codec ?? new JsonCodec(this.actions),
      events: { topic: topics.events, partitions: 3 },
      limits,
      rules: () => ({ actions: this.actions, latestTs: 4e12 }),
      maxLetters: more.maxLetters ?? 1_000,
      log: silent,
      now: () => 77,
    });
    return this;
  }

  async origins(): Promise<number[]> {
    return (await this.letters.list({ limit: 1_000 })).map(({ origin }) => Number(origin.split(":")[1]));
  }

  /** Items of the events topic, in their order where they are of one user. */
  async items(): Promise<string[]> {
    const records = await this.fixture.all(this.fixture.topics.events);
    return records.map(({ value }) => (JSON.parse(String(value)) as { item: string }).item);
  }

  async close(): Promise<void> {
    await this.letters.close();
    await this.producer.close();
  }
}

describe("dead letters on their topic", () => {
  const nodes: Node[] = [];
  afterAll(async () => {
    for (const node of nodes) await node.close();
    for (const fixture of new Set(nodes.map(({ fixture }) => fixture))) await fixture.close();
  });
  async function node(more: Parameters<Node["open"]>[0] = {}, fixture?: KafkaFixture): Promise<Node> {
    const made = new Node(fixture ?? (await new KafkaFixture().open()));
    await made.open(more);
    nodes.push(made);
    return made;
  }

  it("are listed with what they were, in order and by pages; the same letter again is one", async () => {
    const { letters, fixture } = await node();
    expect(await letters.list({ limit: 10 })).toEqual([]);
    await letters.keep([letter(1), letter(2, { original: Buffer.from([0xff, 0xfe]), code: "RECORD_UNREADABLE" }), letter(3)]);
    await letters.keep([letter(1)]);
    const [first, ...others] = await letters.list({ limit: 2 });
    expect(first).toEqual({
      number: 2,
      code: "RECORD_UNREADABLE",
      message: "action must be one of play",
      origin: "kindred.events 0:2",
      at: 77,
      original: "base64://4=",
    });
    expect(others).toMatchObject([{ number: 3, origin: "kindred.events 0:3", original: Buffer.from(letter(3).original).toString() }]);
    expect(await letters.list({ limit: 10, after: 3 })).toMatchObject([{ origin: "kindred.events 0:1" }]);
    // As another client reads it.
    const [record] = await fixture.all(fixture.topics.deadLetters);
    expect([String(record?.key), String(record?.headers?.code)]).toEqual(["kindred.events 0:1", "EVENT_ACTION"]);
    expect(record?.value).toEqual(Buffer.from(letter(1).original));
  });

  it("keep an original of any length, cut, and wait where the producer has no room", async () => {
    const { letters } = await node({ maxPendingRecords: 2 });
    const long = letter(1, { original: Buffer.alloc(3 << 20, "x"), raw: { user: "y".repeat(3 << 20) } });
    await Promise.all([letters.keep([long, letter(2)]), letters.keep([letter(3), letter(4)])]);
    const kept = await letters.list({ limit: 10 });
    expect(kept.map(({ original }) => original.length).sort((a, b) => b - a)[0]).toBe(64 << 10);
    expect(kept).toHaveLength(4);
  });

  it("go back into the log as they are once the rules allow them, and leave the list with that", async () => {
    const opened = await node();
    await opened.letters.keep([
      letter(1),
      letter(2, { original: Buffer.from("ann;song"), raw: event("ann", "song:2") }),
      letter(3, { original: Buffer.from("{") }),
    ]);
    expect(await opened.letters.replay("all")).toMatchObject({ replayed: 1, failed: 2 });
    expect(await opened.origins()).toEqual([1, 3]);
    opened.actions.add("hum");
    const { replayed, failed, position } = await opened.letters.replay("all");
    expect({ replayed, failed }).toEqual({ replayed: 1, failed: 1 });
    expect(await opened.items()).toEqual(["song:2", "song:1"]);
    expect([...position]).toHaveLength(1);
    expect(await opened.origins()).toEqual([3]);
    expect(await opened.letters.replay("all")).toMatchObject({ replayed: 0, failed: 1, position: new Map() });
  });

  it("go back repaired; what is still wrong or not on the list is counted as failed, and nothing goes back twice", async () => {
    const opened = await node();
    await opened.letters.keep([1, 2, 3].map((n) => letter(n)));
    const repairs = new Map<number, unknown>([
      [1, event("ann", "song:91")],
      [3, { user: "ann" }],
      [44, event("ann", "song:1")],
    ]);
    const both = await Promise.all([opened.letters.replay(repairs), opened.letters.replay(repairs)]);
    expect(both).toMatchObject([
      { replayed: 1, failed: 2 },
      { replayed: 0, failed: 3 },
    ]);
    expect(await opened.items()).toEqual(["song:91"]);
    expect(await opened.origins()).toEqual([2, 3]);
  });

  it("go back once where two nodes replay them at the same time: one of them may fail", async () => {
    const here = await node();
    const other = await node({}, here.fixture);
    for (const { actions } of [here, other]) actions.add("hum");
    await here.letters.keep(Array.from({ length: 20 }, (_, i) => letter(i)));
    const outcomes = await Promise.allSettled([here.letters.replay("all"), other.letters.replay("all")]);
    for (const outcome of outcomes) if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "OWNERSHIP_LOST" });
    await here.letters.replay("all");
    expect((await here.items()).sort()).toEqual(Array.from({ length: 20 }, (_, i) => `song:${i}`).sort());
    expect(await here.origins()).toEqual([]);
  });

  it("in the codec's own format go back once it can read them", async () => {
    const opened = await node({ codec: new MagicCodec(new Set(["play"])) });
    const bytes = (text: string): Buffer => Buffer.from(`\0${text}`);
    await opened.letters.keep([
      letter(1, { original: bytes(JSON.stringify(event("ann", "song:1"))), code: "UNKNOWN_SCHEMA" }),
      letter(2, { original: bytes("garbage") }),
    ]);
    expect(await opened.letters.replay("all")).toMatchObject({ replayed: 1, failed: 1 });
    expect(await opened.items()).toEqual(["song:1"]);
  });

  it("of an erased user are gone; the oldest leave above the limit", async () => {
    const opened = await node({ maxLetters: 5 });
    const of = (user: string, n: number) => letter(n, { user: user as UserId });
    await opened.letters.keep([of("ann", 1), of("bob", 2), letter(3), of("ann", 4)]);
    expect(await opened.letters.forget("ann" as UserId)).toBe(2);
    expect(await opened.origins()).toEqual([2, 3]);
    await opened.letters.keep([5, 6, 7, 8, 9].map((n) => letter(n)));
    expect(await opened.origins()).toEqual([5, 6, 7, 8, 9]);
  });

  it("are whole also where there are more than memory is for", async () => {
    const { letters, fixture } = await node();
    await letters.keep(Array.from({ length: 30 }, (_, n) => letter(n, { original: Buffer.alloc(1_000, String(n % 10)) })));
    const survey = await LetterSurvey.make(new LetterReader(fixture.kafka, fixture.settings, silent), 5_500);
    expect(survey.letters.filter(({ record }) => record)).toHaveLength(5);
    const found = await survey.withRecords(survey.letters.slice(3, 9));
    expect(found.map(({ record }) => String(record.value).slice(0, 1))).toEqual(["3", "4", "5", "6", "7", "8"]);
  });
});
