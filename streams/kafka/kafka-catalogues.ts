import type { Kafka, KafkaMessage } from "kafkajs";
import type { Catalogue } from "../../schemas/catalogue.js";
import { KindredError } from "../../schemas/errors.js";
import type { CatalogueNumber, EpochMs } from "../../schemas/ids.js";
import type { CatalogueStore } from "../../schemas/ports/event-log.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import type { Position } from "../../schemas/position.js";
import { decodeCatalogue, encodeCatalogue } from "../../state/catalogue-builder.js";
import { activateRecord, type EventsTopic } from "./event-records.js";
import { type OutRecord, positionAfter, type TopicLimits } from "./out-records.js";
import type { TopicFollower } from "./topic-follower.js";
import { type TableChange, TopicTable } from "./topic-table.js";
import { Transactions } from "./transactions.js";

export interface KafkaCataloguesOptions {
  readonly kafka: Kafka;
  /** Reads the catalogues topic, and is started. */
  readonly follower: TopicFollower;
  readonly topic: string;
  readonly store: KeyValueStore;
  readonly events: EventsTopic;
  readonly groupId: string;
  readonly limits: TopicLimits;
  readonly now?: () => EpochMs;
}

/** Bytes of one record of a catalogue: below what brokers take as a rule, and so that few are needed. */
const CHUNK_BYTES = 900_000;
/** Rows of a partition may be of so many at once, and one more while one is activated. */
const MAX_DECODED = 4;
/** What a record is besides its piece of the catalogue, generously. */
const CHUNK_HEAD_BYTES = 1_000;
/** Says of each chunk how many there are. */
const CHUNKS_HEADER = "chunks";

/** `catalogue/0000000012/00003`: they sort as their numbers do. */
const startOf = (number: CatalogueNumber): string => `catalogue/${String(number).padStart(10, "0")}/`;
const keyOf = (number: CatalogueNumber, chunk: number): string => `${startOf(number)}${String(chunk).padStart(5, "0")}`;

/**
 * Catalogues by number on a compacted topic, and in a store at hand as far as it was read. Only a leader writes: whoever became it last.
 */
export class KafkaCatalogues implements CatalogueStore {
  private readonly table: TopicTable;
  private readonly transactions: Transactions;
  private readonly now: () => EpochMs;
  /** The newest asked for: every partition of a process asks for the same ones. They are immutable. */
  private readonly decoded = new Map<CatalogueNumber, Promise<Catalogue | undefined>>();

  constructor(private readonly options: KafkaCataloguesOptions) {
    const { kafka, groupId, limits, now = Date.now } = options;
    this.table = new TopicTable({ ...options, prefix: "c", changesOf: async (records) => records.flatMap(chunkOf) });
    this.transactions = new Transactions(kafka, `${groupId}-catalogues`, limits);
    this.now = now;
  }

  /** @throws KindredError BROKER_FAILED, STORAGE_FAILED */
  open(): Promise<void> {
    return this.table.open();
  }

  /**
   * Becomes the one that writes catalogues: an earlier one can write no more, and what it had not committed is gone. All that was committed is at
   * hand when this resolves.
   * @throws KindredError BROKER_FAILED
   */
  async lead(signal?: AbortSignal): Promise<void> {
    await this.transactions.open();
    await this.table.caughtUp(signal);
  }

  resign(): Promise<void> {
    return this.transactions.close();
  }

  /**
   * Stores the catalogue and activates it in every partition, all or nothing. It leads no more where this rejects.
   * @returns where in each partition it takes effect
   * @throws KindredError OWNERSHIP_LOST (it does not lead any more, or did not), BROKER_FAILED
   */
  async publish(catalogue: Catalogue): Promise<Position> {
    const { topic, partitions } = this.options.events;
    const chunks = await this.chunksOf(catalogue);
    const activations = Array.from({ length: partitions }, (_, partition) =>
      activateRecord(topic, partition, catalogue.number, this.now()),
    );
    return this.transactions.run(async (send) => {
      await send(chunks);
      return positionAfter(topic, activations, await send(activations));
    });
  }

  /** Sends another record of whoever makes the catalogues: fenced as they are. @throws KindredError OWNERSHIP_LOST, BROKER_FAILED; it leads no more then */
  async send(record: OutRecord): Promise<void> {
    await this.transactions.run((send) => send([record]));
  }

  /** Reads the topic to its end where the catalogue is not at hand. @throws KindredError BROKER_FAILED, STATE_CORRUPT, DIRECTORY_NEWER */
  async get(number: CatalogueNumber, signal?: AbortSignal): Promise<Catalogue | undefined> {
    const decoded = this.decoded.get(number);
    if (decoded) return decoded;
    if (!(await this.has(number, signal))) return undefined;
    const made = this.decode(number);
    this.decoded.set(number, made);
    made.catch(() => this.decoded.delete(number));
    for (const oldest of this.decoded.keys()) if (this.decoded.size > MAX_DECODED) this.decoded.delete(oldest);
    return made;
  }

  private async decode(number: CatalogueNumber): Promise<Catalogue | undefined> {
    const bytes = await this.bytesOf(number);
    return bytes && decodeCatalogue(bytes);
  }

  /** As `get`, but does not read it. */
  async has(number: CatalogueNumber, signal?: AbortSignal): Promise<boolean> {
    if (await this.bytesOf(number)) return true;
    await this.table.caughtUp(signal);
    return (await this.bytesOf(number)) !== undefined;
  }

  /** The highest number on the topic as of now. @throws KindredError BROKER_FAILED */
  async newest(signal?: AbortSignal): Promise<CatalogueNumber | 0> {
    await this.table.caughtUp(signal);
    for await (const [key] of this.table.all("catalogue/", { reverse: true, limit: 1 })) return numberOf(key);
    return 0;
  }

  async close(): Promise<void> {
    this.table.close();
    await this.resign();
  }

  private async chunksOf(catalogue: Catalogue): Promise<OutRecord[]> {
    const { topic, limits } = this.options;
    const bytes = Buffer.from(await encodeCatalogue(catalogue));
    const size = Math.max(1, Math.min(CHUNK_BYTES, limits.of(topic) - CHUNK_HEAD_BYTES));
    const count = Math.ceil(bytes.length / size);
    return Array.from({ length: count }, (_, chunk) => ({
      topic,
      partition: 0,
      key: Buffer.from(keyOf(catalogue.number, chunk)),
      value: bytes.subarray(chunk * size, (chunk + 1) * size),
      headers: { [CHUNKS_HEADER]: String(count) },
      timestamp: this.now(),
    }));
  }

  /** Undefined unless all of its chunks are at hand. */
  private async bytesOf(number: CatalogueNumber): Promise<Buffer | undefined> {
    const chunks: Buffer[] = [];
    let count = 0;
    for await (const [key, value] of this.table.all(startOf(number))) {
      count = Buffer.from(value).readUInt32BE(0);
      if (key.toString() === keyOf(number, chunks.length)) chunks.push(Buffer.from(value).subarray(4));
    }
    return count > 0 && chunks.length >= count ? Buffer.concat(chunks.slice(0, count)) : undefined;
  }
}

/** What is kept of a chunk: how many there are, and its bytes. */
function chunkOf({ key, value, headers }: KafkaMessage): TableChange[] {
  if (key === null || key.length === 0) return [];
  if (value === null) return [{ key, value }];
  const count = Number(headers?.[CHUNKS_HEADER]?.toString());
  if (!Number.isSafeInteger(count) || count < 1)
    throw new KindredError("TOPIC_MISMATCH", `the record ${key.toString()} on the catalogues topic is no part of a catalogue`);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(count);
  return [{ key, value: Buffer.concat([head, value]) }];
}

const numberOf = (key: Buffer): CatalogueNumber => Number(key.toString().split("/")[1]) as CatalogueNumber;
