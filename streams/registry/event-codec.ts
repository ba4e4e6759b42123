import { BEHAVIOUR_EVENT_AVRO, ITEM_INFO_AVRO } from "../../schemas/avro.js";
import { KindredError } from "../../schemas/errors.js";
import { type BehaviourEvent, type Parsed, parseEvent } from "../../schemas/event.js";
import type { EpochMs } from "../../schemas/ids.js";
import { type ItemInfo, parseItemInfo } from "../../schemas/item.js";
import { ByteReader } from "./byte-reader.js";
import { readJson } from "./compiled-schema.js";
import { type RegistryAddress, RegistryClient } from "./registry-client.js";
import { type CodecLog, SchemaCache } from "./schema-cache.js";
import { SchemaFiles } from "./schema-files.js";
import { wireEncoder } from "./wire-encoder.js";
import { HEADER_BYTES, isSchemaId, refuseHeader, schemaIdOf } from "./wire-format.js";

/** Values of a topic, read and written. */
export interface EventCodec {
  /**
   * Resolves when everything that decoding these values needs is at hand. A registry that does not answer is waited for with
   * back-off, as long as `signal` lives. An id that the registry does not know is an answer: event() and item() say so.
   * @throws what `signal` was aborted with; KindredError NOT_READY when the codec is closed meanwhile
   */
  ready(values: readonly (Uint8Array | null)[], signal: AbortSignal): Promise<void>;
  /**
   * The value as its producer's schema names it, then checked; any action of 1 to 128 characters passes.
   * @throws KindredError RECORD_UNREADABLE, UNKNOWN_SCHEMA, EVENT_...; REGISTRY_FAILED where ready() was not waited for
   */
  event(value: Uint8Array, latestTs: EpochMs): BehaviourEvent;
  /** @throws KindredError RECORD_UNREADABLE, UNKNOWN_SCHEMA, ITEM_INFO; REGISTRY_FAILED where ready() was not waited for */
  item(value: Uint8Array): ItemInfo;
  /**
   * For what we produce. Registers our schema first, when it is first asked for (subject `<topic>-value`). Where the registry is away,
   * the id that it once gave this schema is as good.
   * @throws KindredError SCHEMA_INCOMPATIBLE, REGISTRY_FAILED
   */
  eventEncoder(topic: string): Promise<(event: BehaviourEvent) => Buffer>;
  itemEncoder(topic: string): Promise<(item: ItemInfo) => Buffer>;
  /** How many ids are waited for; how often the registry was asked for one, and how often it did not answer. */
  stats(): { readonly waiting: number; readonly fetches: number; readonly failures: number };
  close(): Promise<void>;
}

export interface RegistryCodecOptions extends RegistryAddress {
  /** Where fetched schemas are kept, so that a start without a registry knows their ids. Absent: in memory alone. */
  readonly cacheDirectory?: string;
  readonly log: CodecLog;
}

type Kind = "event" | "item";
type Encoder = (value: unknown) => Buffer;

const asBuffer = (value: Uint8Array): Buffer =>
  Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);

function checked<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new KindredError(parsed.error.code, parsed.error.message);
  return parsed.value;
}

const unreadable = (cause: unknown, where?: string): KindredError =>
  new KindredError("RECORD_UNREADABLE", (cause as Error).message, where, { cause });

class JsonCodec implements EventCodec {
  async ready(): Promise<void> {}

  event(value: Uint8Array, latestTs: EpochMs): BehaviourEvent {
    return checked(parseEvent(this.#read(value), { latestTs }));
  }

  item(value: Uint8Array): ItemInfo {
    return checked(parseItemInfo(this.#read(value)));
  }

  async eventEncoder(): Promise<(event: BehaviourEvent) => Buffer> {
    return (event) => Buffer.from(JSON.stringify(event));
  }

  async itemEncoder(): Promise<(item: ItemInfo) => Buffer> {
    return (item) => Buffer.from(JSON.stringify(item));
  }

  stats(): ReturnType<EventCodec["stats"]> {
    return { waiting: 0, fetches: 0, failures: 0 };
  }

  async close(): Promise<void> {}

  #read(value: Uint8Array): unknown {
    try {
      return readJson(new ByteReader(asBuffer(value)));
    } catch (cause) {
      throw unreadable(cause);
    }
  }
}

class RegistryCodec implements EventCodec {
  readonly #client: RegistryClient;
  readonly #kept: SchemaFiles | undefined;
  readonly #log: CodecLog;
  readonly #schemas: SchemaCache;
  readonly #encoders = new Map<string, Promise<Encoder>>();

  /** @throws KindredError CONFIG_INVALID */
  constructor({ cacheDirectory, log, ...address }: RegistryCodecOptions) {
    this.#client = new RegistryClient(address);
    this.#kept = cacheDirectory === undefined ? undefined : new SchemaFiles(cacheDirectory, this.#client.shown);
    this.#log = log;
    this.#schemas = new SchemaCache({ source: this.#client, log, ...(this.#kept && { kept: this.#kept }) });
  }

  async ready(values: readonly (Uint8Array | null)[], signal: AbortSignal): Promise<void> {
    let before = -1;
    let missing: Set<number> | undefined;
    for (const value of values) {
      const id = value === null ? -1 : schemaIdOf(value);
      if (id === before) continue;
      before = id;
      if (!isSchemaId(id) || this.#schemas.isSettled(id)) continue;
      missing ??= new Set();
      missing.add(id);
    }
    if (missing !== undefined) await this.#schemas.obtain(missing, signal);
  }

  event(value: Uint8Array, latestTs: EpochMs): BehaviourEvent {
    return checked(parseEvent(this.#read(value, "event"), { latestTs }));
  }

  item(value: Uint8Array): ItemInfo {
    return checked(parseItemInfo(this.#read(value, "item")));
  }

  eventEncoder(topic: string): Promise<(event: BehaviourEvent) => Buffer> {
    return this.#encoder(`${topic}-value`, BEHAVIOUR_EVENT_AVRO);
  }

  itemEncoder(topic: string): Promise<(item: ItemInfo) => Buffer> {
    return this.#encoder(`${topic}-value`, ITEM_INFO_AVRO);
  }

  stats(): ReturnType<EventCodec["stats"]> {
    return this.#schemas.stats();
  }

  async close(): Promise<void> {
    this.#schemas.close();
    await this.#client.close();
  }

  #read(value: Uint8Array, kind: Kind): unknown {
    const id = schemaIdOf(value);
    if (id < 0) refuseHeader(value);
    const read = this.#schemas.get(id)[kind];
    const reader = new ByteReader(asBuffer(value));
    reader.position = HEADER_BYTES;
    try {
      return read(reader);
    } catch (cause) {
      throw unreadable(cause, `schema ${id}`);
    }
  }

  #encoder(subject: string, schema: object): Promise<Encoder> {
    const known = this.#encoders.get(subject);
    if (known !== undefined) return known;
    const registered = this.#register(subject, schema);
    this.#encoders.set(subject, registered);
    // The next call tries again.
    registered.catch(() => this.#encoders.delete(subject));
    return registered;
  }

  async #register(subject: string, schema: object): Promise<Encoder> {
    const text = JSON.stringify(schema);
    const id = await this.#idOf(subject, text);
    await this.#schemas.learn(id, { type: "AVRO", schema: text, references: [] });
    return wireEncoder(schema, id);
  }

  async #idOf(subject: string, schema: string): Promise<number> {
    try {
      const { id } = await this.#client.register(subject, { type: "AVRO", schema });
      await this.#kept
        ?.writeRegistration(subject, schema, id)
        .catch((err: unknown) =>
          this.#log.warn({ err, subject }, "a schema's id cannot be kept; the next start needs the registry for it"),
        );
      return id;
    } catch (err) {
      const kept = err instanceof KindredError && err.canRetry ? await this.#kept?.readRegistration(subject, schema) : undefined;
      if (kept === undefined) throw err;
      this.#log.warn({ err, subject, id: kept }, "the schema registry is away; our schema has the id that it gave it before");
      return kept;
    }
  }
}

/** Plain JSON values: `kafka.format` json. */
export const jsonCodec = (): EventCodec => new JsonCodec();

/** Confluent's wire format: `kafka.format` registry. @throws KindredError CONFIG_INVALID */
export const registryCodec = (options: RegistryCodecOptions): EventCodec => new RegistryCodec(options);
