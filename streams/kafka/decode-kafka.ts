import { KindredError } from "../../schemas/errors.js";
import { isText, parseTimestamp } from "../../schemas/event.js";
import { type CatalogueNumber, type EpochMs, MAX_ID_LENGTH, type Offset, type UserId } from "../../schemas/ids.js";
import type { LogRecord } from "../../schemas/log-record.js";
import type { LogReader, ReadOptions, SourceBatch, SourceRecord } from "../../schemas/ports/event-log.js";
import type { Decode, ReadableRecord } from "../operators/decode-records.js";
import type { EventCodec } from "../registry/event-codec.js";
import type { KafkaCatalogues } from "./kafka-catalogues.js";

/**
 * Records of the events topic. What becomes of one depends on the topic alone, or a replay would fold another state: whether an event lies in
 * the future is asked of the record's own time, and an action that nothing gives a weight is folded as one without any.
 */
export function decodeKafka(codec: EventCodec, maxFutureMs: number): Decode {
  return (record) => {
    const latestTs = record.acceptedAt + maxFutureMs;
    if (record.kind !== undefined) return decodeOwn(record, latestTs);
    const event = codec.event(record.bytes, latestTs);
    if (!isKeyOf(record.key ?? null, event.user))
      throw new KindredError("RECORD_KEY", `the record's key is ${shown(record.key ?? null)}, the event's user another`);
    return { kind: "event", event };
  };
}

/**
 * Waits, before a batch goes on, until everything that decoding it needs is at hand: a registry that is away holds the stream, and drops nothing.
 * An activation comes after its catalogue, in one transaction: one of a catalogue that is not there is no record of ours.
 */
export class DecodableReader implements LogReader {
  private waiting: SourceBatch | undefined;
  /** The last batch said that more follow. */
  private owed = false;

  constructor(
    private readonly reader: LogReader,
    private readonly codec: EventCodec,
    private readonly catalogues: Pick<KafkaCatalogues, "has">,
  ) {}

  async read(after: Offset, options: ReadOptions): Promise<SourceBatch | null> {
    this.waiting ??= (await this.reader.read(after, options)) ?? undefined;
    if (!this.waiting) return null;
    const { waiting } = this;
    const values = waiting.records.filter(({ kind }) => kind === undefined).map(({ bytes }) => bytes);
    const ready = this.codec.ready(values, options.signal);
    // What the last batch left open does not wait for the registry with this one.
    if (this.owed && !(await isSettledSoon(ready))) {
      this.owed = false;
      return { partition: waiting.partition, records: [], endOffset: after };
    }
    await ready;
    if (options.signal.aborted) return null;
    const batch = await this.withKnownCatalogues(waiting, options.signal);
    this.waiting = undefined;
    this.owed = batch.more ?? false;
    return batch;
  }

  private async withKnownCatalogues(batch: SourceBatch, signal: AbortSignal): Promise<SourceBatch> {
    if (!batch.records.some(({ kind }) => kind === "activate")) return batch;
    const records: SourceRecord[] = [];
    for (const record of batch.records) {
      const number = record.kind === "activate" && record.bytes !== null ? numberOf(record.bytes) : undefined;
      const known = number === undefined || (await this.catalogues.has(number, signal));
      records.push(
        known
          ? record
          : { ...record, damage: { message: `an activation of catalogue ${number}, which is not stored`, through: record.offset } },
      );
    }
    return { ...batch, records };
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

/** Of an activation; undefined where it names none, which decoding says. */
function numberOf(bytes: Uint8Array): CatalogueNumber | undefined {
  try {
    const { catalogue } = JSON.parse(Buffer.from(bytes).toString("utf8")) as { catalogue?: unknown };
    return isNumber(catalogue) ? catalogue : undefined;
  } catch {
    return undefined;
  }
}

const isNumber = (value: unknown): value is CatalogueNumber => Number.isSafeInteger(value) && (value as number) >= 1;

function decodeOwn({ kind, bytes, key }: ReadableRecord, latestTs: EpochMs): LogRecord {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  const value = (JSON.parse(text) ?? {}) as { user?: unknown; at?: unknown; catalogue?: unknown };
  if (kind === "erase") {
    const { user } = value;
    const at = parseTimestamp(value.at);
    if (!isText(user, MAX_ID_LENGTH) || at === undefined || at > latestTs)
      throw new KindredError("RECORD_UNREADABLE", "an erasure without its user or its time, or of the future");
    if (!isKeyOf(key ?? null, user)) throw new KindredError("RECORD_KEY", "an erasure whose key is not its user");
    return { kind, user: user as UserId, at };
  }
  if (kind === "activate" && isNumber(value.catalogue)) return { kind, catalogue: value.catalogue };
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
