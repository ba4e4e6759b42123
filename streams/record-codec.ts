import avsc from "avsc";
import { BEHAVIOUR_EVENT_AVRO } from "../schemas/avro.js";
import type { BehaviourEvent } from "../schemas/event.js";
import type { CatalogueNumber, EpochMs, UserId } from "../schemas/ids.js";
import type { LogRecord } from "../schemas/log-record.js";

/** First byte of a record's bytes. An event follows in Avro (behaviour-event.avsc), the others in JSON. */
const KIND = { event: 1, erase: 2, activate: 3 } as const;

/** Encoded records are cut from chunks of so many bytes: one allocation for some hundred events. */
const CHUNK_BYTES = 64 << 10;

interface AvroEvent {
  user: string;
  item: string;
  action: string;
  ts: number;
  id: string | null;
  type: string | null;
  scene: string | null;
  value: number | null;
}

/** The part of avsc's Type that we use; its own declarations say `any`. */
interface AvroType {
  /** The position after the value, or minus the bytes that were missing. */
  encode(value: unknown, buffer: Buffer, position: number): number;
  decode(buffer: Buffer, position: number): { value: AvroEvent; offset: number };
}

const eventType = avsc.Type.forSchema(structuredClone(BEHAVIOUR_EVENT_AVRO) as unknown as avsc.Schema) as unknown as AvroType;

/** Encodes records one after the other into shared chunks. What it returned is never overwritten. */
export class RecordEncoder {
  #chunk = Buffer.alloc(0);
  #used = 0;

  /** @throws Error when a value does not fit the schema */
  encode(record: LogRecord): Uint8Array {
    if (record.kind === "event") return this.#event(record.event);
    if (record.kind === "erase") return json(KIND.erase, { user: record.user, at: record.at });
    return json(KIND.activate, { catalogue: record.catalogue });
  }

  #event(event: BehaviourEvent): Uint8Array {
    let end = this.#room(1) ? eventType.encode(event, this.#chunk, this.#used + 1) : -1;
    if (end < 0) {
      const missing = -end;
      this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, this.#chunk.length - this.#used + missing + 1));
      this.#used = 0;
      end = eventType.encode(event, this.#chunk, 1);
    }
    this.#chunk[this.#used] = KIND.event;
    const bytes = this.#chunk.subarray(this.#used, end);
    this.#used = end;
    return bytes;
  }

  #room(bytes: number): boolean {
    return this.#chunk.length - this.#used > bytes;
  }
}

const json = (kind: number, body: unknown): Uint8Array => {
  const text = Buffer.from(` ${JSON.stringify(body)}`);
  text[0] = kind;
  return text;
};

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The record of encoded bytes. @throws Error saying what is wrong with them */
export function decodeRecord(bytes: Uint8Array): LogRecord {
  const buffer = asBuffer(bytes);
  switch (buffer[0]) {
    case KIND.event:
      return { kind: "event", event: decodeEvent(buffer) };
    case KIND.erase: {
      const { user, at } = JSON.parse(buffer.toString("utf8", 1)) as { user: UserId; at: EpochMs };
      if (typeof user !== "string" || typeof at !== "number") throw new Error("an erasure without its user or time");
      return { kind: "erase", user, at };
    }
    case KIND.activate: {
      const { catalogue } = JSON.parse(buffer.toString("utf8", 1)) as { catalogue: CatalogueNumber };
      if (!Number.isSafeInteger(catalogue)) throw new Error("an activation without its catalogue");
      return { kind: "activate", catalogue };
    }
    default:
      throw new Error(buffer.length === 0 ? "an empty record" : `a record of the unknown kind ${buffer[0]}`);
  }
}

function decodeEvent(buffer: Buffer): BehaviourEvent {
  const { value, offset } = eventType.decode(buffer, 1);
  if (offset !== buffer.length) throw new Error(offset < 0 ? "an event cut short" : `${buffer.length - offset} bytes after the event`);
  const event: { -readonly [Key in keyof BehaviourEvent]: BehaviourEvent[Key] } = {
    user: value.user as BehaviourEvent["user"],
    item: value.item as BehaviourEvent["item"],
    action: value.action,
    ts: value.ts,
  };
  if (value.id !== null) event.id = value.id;
  if (value.type !== null) event.type = value.type;
  if (value.scene !== null) event.scene = value.scene;
  if (value.value !== null) event.value = value.value;
  return event;
}
