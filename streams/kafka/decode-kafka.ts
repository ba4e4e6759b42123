import { KindredError } from "../../schemas/errors.js";
import type { CatalogueNumber, EpochMs, Offset, UserId } from "../../schemas/ids.js";
import type { LogRecord } from "../../schemas/log-record.js";
import type { LogReader, ReadOptions, SourceBatch } from "../../schemas/ports/event-log.js";
import type { Decode, ReadableRecord } from "../operators/decode-records.js";
import type { EventCodec } from "../registry/event-codec.js";

/**
 * Records of the events topic. What becomes of one depends on the topic alone, or a replay would fold another state: whether an event lies in
 * the future is asked of the record's own time, and an action that nothing gives a weight is folded as one without any.
 */
export function decodeKafka(codec: EventCodec, maxFutureMs: number): Decode {
  return (record) => {
    if (record.kind !== undefined) return decodeOwn(record);
    const event = codec.event(record.bytes, record.acceptedAt + maxFutureMs);
    if (!isKeyOf(record.key ?? null, event.user))
      throw new KindredError("RECORD_KEY", `the record's key is ${shown(record.key ?? null)}, the event's user another`);
    return { kind: "event", event };
  };
}

/** Waits, before a batch goes on, until everything that decoding it needs is at hand: a registry that is away holds the stream, and drops nothing. */
export class DecodableReader implements LogReader {
  private waiting: SourceBatch | undefined;
  /** The last batch said that more follow. */
  private owed = false;

  constructor(
    private readonly reader: LogReader,
    private readonly codec: EventCodec,
  ) {}

  async read(after: Offset, options: ReadOptions): Promise<SourceBatch | null> {
    this.waiting ??= (await this.reader.read(after, options)) ?? undefined;
    if (!this.waiting) return null;
    const batch = this.waiting;
    const values = batch.records.filter(({ kind }) => kind === undefined).map(({ bytes }) => bytes);
    const ready = this.codec.ready(values, options.signal);
    // What the last batch left open does not wait for the registry with this one.
    if (this.owed && !(await isSettledSoon(ready))) {
      this.owed = false;
      return { partition: batch.partition, records: [], endOffset: after };
    }
    await ready;
    if (options.signal.aborted) return null;
    this.waiting = undefined;
    this.owed = batch.more ?? false;
    return batch;
  }
}

const SOON_MS = 100;

/** Rejections count: whoever awaits it has them. */
function isSettledSoon(work: Promise<void>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), SOON_MS);
    const settled = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    work.then(settled, settled);
  });
}

function decodeOwn({ kind, bytes, key }: ReadableRecord): LogRecord {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  const value = JSON.parse(text) as { user?: unknown; at?: unknown; catalogue?: unknown };
  if (kind === "erase") {
    const { user, at } = value;
    if (typeof user !== "string" || typeof at !== "number")
      throw new KindredError("RECORD_UNREADABLE", "an erasure without its user or time");
    if (!isKeyOf(key ?? null, user)) throw new KindredError("RECORD_KEY", "an erasure whose key is not its user");
    return { kind, user: user as UserId, at: at as EpochMs };
  }
  if (kind === "activate" && Number.isSafeInteger(value.catalogue)) return { kind, catalogue: value.catalogue as CatalogueNumber };
  throw new KindredError(
    "RECORD_UNREADABLE",
    kind === "activate" ? "an activation without its catalogue" : `a record of the unknown kind ${kind}`,
  );
}

/** Compares without making a string of the key where both are ASCII, as nearly all are. */
function isKeyOf(key: Uint8Array | null, user: string): boolean {
  if (key === null) return false;
  let same = 0;
  while (same < key.length && (key[same] as number) < 0x80 && key[same] === user.charCodeAt(same)) same++;
  if (same === key.length) return key.length === user.length;
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).equals(Buffer.from(user, "utf8"));
}

const shown = (key: Uint8Array | null): string =>
  key === null ? "empty" : JSON.stringify(Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("utf8").slice(0, 64));
