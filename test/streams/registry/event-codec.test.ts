import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseEvent } from "../../../schemas/event.js";
import { parseItemInfo } from "../../../schemas/item.js";
import { jsonCodec, registryCodec } from "../../../streams/registry/event-codec.js";

const LATEST = Date.UTC(2030, 0, 1);
const quiet = { warn: () => undefined };
const code = (expected: string) => expect.objectContaining({ code: expected });
const GOOD = { user: "u", item: "song:1", action: "play", ts: 1_764_000_000_000 };

describe("values in plain JSON", () => {
  const codec = jsonCodec();
  const event = (value: unknown) => codec.event(Buffer.from(typeof value === "string" ? value : JSON.stringify(value)), LATEST);

  it("are checked as any event, but for the action, which the log decides nothing about", async () => {
    await codec.ready([Buffer.from("x"), null], new AbortController().signal);
    expect(event({ ...GOOD, ts: "2024-05-01T10:00:00Z", extra: 1 })).toEqual({ ...GOOD, ts: 1_714_557_600_000, type: "song" });
    expect(event({ ...GOOD, action: "hum" }).action).toBe("hum");
  });

  it.each([
    ["RECORD_UNREADABLE", "{"],
    ["RECORD_UNREADABLE", ""],
    ["EVENT_NOT_AN_OBJECT", "7"],
    ["EVENT_NOT_AN_OBJECT", "null"],
    ["EVENT_USER", { ...GOOD, user: undefined }],
    ["EVENT_ACTION", { ...GOOD, action: "" }],
    ["EVENT_ACTION", { ...GOOD, action: "x".repeat(129) }],
    ["EVENT_TIME", { ...GOOD, ts: LATEST + 1 }],
  ])("are refused with %s: %j", (expected, value) => {
    expect(() => event(value)).toThrow(code(expected));
  });

  it("are refused where they are not UTF-8", () => {
    const bytes = Buffer.concat([Buffer.from('{"user":"'), Buffer.from([0xff]), Buffer.from('","item":"i","action":"play","ts":1}')]);
    expect(() => codec.event(bytes, LATEST)).toThrow(code("RECORD_UNREADABLE"));
  });

  it("come back as they were written", async () => {
    const [writeEvent, writeItem] = [await codec.eventEncoder("t"), await codec.itemEncoder("t")];
    const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
    const raw = fc.record({ user: text, item: text, action: text, ts: fc.nat(LATEST), value: fc.option(fc.nat(), { nil: undefined }) });
    fc.assert(
      fc.property(raw, (sent) => {
        const parsed = parseEvent(sent, { latestTs: LATEST });
        fc.pre(parsed.ok);
        if (parsed.ok) expect(codec.event(writeEvent(parsed.value), LATEST)).toEqual(parsed.value);
        const item = parseItemInfo({ item: sent.item, type: "song", tags: [sent.action] });
        if (item.ok) expect(codec.item(writeItem(item.value))).toEqual(item.value);
      }),
    );
  });
});

describe("values in the wire format", () => {
  it("that do not begin as they must are refused, before any registry is asked", async () => {
    const codec = registryCodec({ url: "http://127.0.0.1:1", log: quiet });
    const wrong = [Buffer.from(JSON.stringify(GOOD)), Buffer.alloc(0), Buffer.from([0, 0, 0, 1]), Buffer.from([1, 0, 0, 0, 1, 2])];
    await codec.ready([...wrong, null], new AbortController().signal);
    for (const value of wrong) {
      expect(() => codec.event(value, LATEST)).toThrow(code("RECORD_UNREADABLE"));
      expect(() => codec.item(value)).toThrow(code("RECORD_UNREADABLE"));
    }
    const bogus = Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1]);
    await codec.ready([bogus], new AbortController().signal);
    expect(() => codec.event(bogus, LATEST)).toThrow(code("UNKNOWN_SCHEMA"));
    expect(codec.stats()).toEqual({ waiting: 0, fetches: 0, failures: 0 });
    await codec.close();
  });

  it("of an id that nobody waited for are no fault of the record", async () => {
    const codec = registryCodec({ url: "http://127.0.0.1:1", log: quiet });
    expect(() => codec.event(Buffer.from([0, 0, 0, 0, 1, 2]), LATEST)).toThrow(
      expect.objectContaining({ code: "REGISTRY_FAILED", canRetry: true }),
    );
    await codec.close();
  });

  it("need an address, and a certificate that can be read", () => {
    expect(() => registryCodec({ url: "registry", log: quiet })).toThrow(code("CONFIG_INVALID"));
    expect(() => registryCodec({ url: "https://127.0.0.1:1", caFile: "/no/such/file", log: quiet })).toThrow(code("CONFIG_INVALID"));
  });
});
