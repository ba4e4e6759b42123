import avsc from "avsc";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BEHAVIOUR_EVENT_AVRO } from "../../schemas/avro.js";
import type { BehaviourEvent } from "../../schemas/event.js";
import { decodeRecord, RecordEncoder } from "../../streams/record-codec.js";
import { event } from "./journal-fixtures.js";

const text = (maxLength: number) => fc.string({ unit: "grapheme", minLength: 1, maxLength });
const anyEvent = fc
  .record(
    {
      user: text(128),
      item: text(128),
      action: fc.constantFrom("play", "like", "skip"),
      ts: fc.integer({ min: 0, max: 4_000_000_000_000 }),
      id: text(64),
      type: text(64),
      scene: text(64),
      value: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
    },
    { requiredKeys: ["user", "item", "action", "ts"] },
  )
  .map((some) => some as unknown as BehaviourEvent);

describe("records as bytes", () => {
  it("come back as they were, whatever was encoded before and after", () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 50 }), (events) => {
        const encoder = new RecordEncoder();
        const encoded = events.map((some) => encoder.encode({ kind: "event", event: some }));
        expect(encoded.map((bytes) => decodeRecord(bytes))).toEqual(events.map((some) => ({ kind: "event", event: some })));
      }),
    );
  });

  it("hold an event as plain Avro of the published schema", () => {
    const type = avsc.Type.forSchema(structuredClone(BEHAVIOUR_EVENT_AVRO) as unknown as avsc.Schema);
    const bytes = new RecordEncoder().encode({ kind: "event", event: event("ann", "song:1", 5, { value: 2.5 }) });
    expect({ ...type.fromBuffer(Buffer.from(bytes.subarray(1))) }).toEqual({
      user: "ann",
      item: "song:1",
      action: "play",
      ts: 5,
      id: null,
      type: null,
      scene: null,
      value: 2.5,
    });
    // Known answer: kind, lengths and times as zigzag varints, union branches.
    expect(Buffer.from(bytes).toString("hex")).toBe(
      `0106${Buffer.from("ann").toString("hex")}0c${Buffer.from("song:1").toString("hex")}08${Buffer.from("play").toString("hex")}0a000000020000000000000440`,
    );
  });

  it("fill chunk after chunk without overwriting what was given out", () => {
    const encoder = new RecordEncoder();
    const events = Array.from({ length: 5000 }, (_, i) => event(`user ${i}`, `${"x".repeat(i % 300)}${i}`));
    const encoded = events.map((some) => encoder.encode({ kind: "event", event: some }));
    expect(encoded.map((bytes) => decodeRecord(bytes))).toEqual(events.map((some) => ({ kind: "event", event: some })));
  });

  it("say what is wrong with bytes that are none", () => {
    const good = new RecordEncoder().encode({ kind: "event", event: event("ann", "song:1") });
    for (const bad of [
      new Uint8Array(),
      Uint8Array.of(9, 1, 2),
      good.subarray(0, good.length - 3),
      Buffer.concat([good, Buffer.from("x")]),
      Buffer.from("\x02{}"),
      Buffer.from("\x03{"),
      Buffer.from('\x03{"catalogue":"1"}'),
    ])
      expect(() => decodeRecord(bad)).toThrow();
  });

  it("hold erasures and activations", () => {
    const encoder = new RecordEncoder();
    for (const record of [
      { kind: "erase", user: "ann" as never, at: 5 },
      { kind: "activate", catalogue: 3 as never },
    ] as const)
      expect(decodeRecord(encoder.encode(record))).toEqual(record);
  });
});
