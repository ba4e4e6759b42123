import { describe, expect, it } from "vitest";
import type { Offset, Partition } from "../../../schemas/ids.js";
import type { LogReader, SourceBatch } from "../../../schemas/ports/event-log.js";
import { DecodableReader } from "../../../streams/kafka/decode-kafka.js";
import { jsonCodec } from "../../../streams/registry/event-codec.js";

const batch = (endOffset: number, more: boolean): SourceBatch => ({
  partition: 0 as Partition,
  records: [{ offset: endOffset as Offset, bytes: Buffer.from("{}"), acceptedAt: 1 }],
  endOffset: endOffset as Offset,
  more,
});

describe("DecodableReader", () => {
  it("does not let what is open wait for the registry: an empty batch comes first, then the one that waited, none is lost", async () => {
    const source = [batch(1, true), batch(2, true)];
    const reader: LogReader = { read: async () => source.shift() ?? null };
    let known: () => void = () => undefined;
    const answer = new Promise<void>((resolve) => (known = resolve));
    let asked = 0;
    const codec = Object.assign(jsonCodec(), { ready: () => (asked++ === 0 ? Promise.resolve() : answer) });
    const decodable = new DecodableReader(reader, codec, { has: async () => true });
    const options = { maxRecords: 10, signal: new AbortController().signal };
    expect(await decodable.read(0 as Offset, options)).toMatchObject({ endOffset: 1, more: true });
    expect(await decodable.read(1 as Offset, options)).toEqual({ partition: 0, records: [], endOffset: 1 });
    const waiting = decodable.read(1 as Offset, options);
    known();
    expect(await waiting).toMatchObject({ endOffset: 2, records: [{ offset: 2 }] });
    expect(await decodable.read(2 as Offset, options)).toBeNull();
  });
});
