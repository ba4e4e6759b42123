import type { Kafka, KafkaMessage } from "kafkajs";
import type { Partition } from "../../schemas/ids.js";
import type { KeyRange, KeyValueStore, StoreWrite } from "../../schemas/ports/key-value-store.js";
import type { TopicFollower } from "./topic-follower.js";
import { endsOf } from "./topics.js";

export interface TopicTableOptions {
  readonly kafka: Kafka;
  /** Reads the topic, and is started; others may be read by it too. */
  readonly follower: TopicFollower;
  readonly topic: string;
  /** A store that other tables may share. */
  readonly store: KeyValueStore;
  /** One letter that the table's keys in the store begin with. */
  readonly prefix: string;
  /** What records change; absent: keys have the values of their records. What it does holds before they count as read. */
  readonly changesOf?: (records: readonly KafkaMessage[], partition: number) => Promise<readonly TableChange[]>;
  /** `changesOf` knows what to do with damaged records (`damageOf`); else they end the reading. */
  readonly takesDamaged?: boolean;
  /** Told once records are kept, in the order of their partition; the next come when it has resolved. */
  readonly onTaken?: (changes: readonly TableChange[]) => Promise<void> | void;
}

/** The value is null where the record deleted the key. */
export interface TableChange {
  readonly key: Buffer;
  readonly value: Uint8Array | null;
}

/**
 * A compacted topic kept in a local store, newest value by key. How far the topic was read is in the batch of what was read, so a
 * restart goes on there.
 */
export class TopicTable {
  private partitions: Partition[] = [];

  constructor(private readonly options: TopicTableOptions) {}

  /**
   * Begins to follow. A place beyond the topic's end means that it was emptied or made anew: what is kept of it is forgotten, and it is read from
   * its begin.
   * @throws KindredError BROKER_FAILED, STORAGE_FAILED
   */
  async open(): Promise<void> {
    const { kafka, follower, topic, store, takesDamaged = false } = this.options;
    const watermarks = await endsOf(kafka, topic);
    this.partitions = [...watermarks.keys()];
    const stored = await store.getMany(this.partitions.map((partition) => this.placeKey(partition)));
    const places = stored.map((value) => (value === undefined ? 0 : Number(Buffer.from(value).toString())));
    const isOther = [...watermarks.values()].some(({ high }, i) => (places[i] as number) > high);
    if (isOther) {
      await store.clear(this.range());
      await store.clear({ gte: Buffer.from(`@${this.options.prefix}`), lt: Buffer.from(`@${this.options.prefix}\xff`, "latin1") });
    }
    this.partitions.forEach((partition, i) => {
      const take = (records: readonly KafkaMessage[], next: number): Promise<void> => this.take(partition, records, next);
      follower.follow(topic, partition, isOther ? 0 : (places[i] as number), { take, takesDamaged });
    });
  }

  /** Resolves when everything that is on the topic by now is kept. @throws KindredError NOT_READY (aborted, closed), BROKER_FAILED */
  async caughtUp(signal?: AbortSignal): Promise<void> {
    const { follower, topic } = this.options;
    const watermarks = await endsOf(this.options.kafka, topic);
    const behind = [...watermarks].filter(([partition, { low, high }]) => low < high && this.partitions.includes(partition));
    await Promise.all(behind.map(([partition, { high }]) => follower.reached(topic, partition, high, signal)));
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return (await this.getMany([key]))[0];
  }

  /** In the order of `keys`. */
  getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    return this.options.store.getMany(keys.map((key) => this.keyOf(Buffer.from(key))));
  }

  /** Ascending by the bytes of the keys that begin with `start`. */
  async *all(start = "", options: Pick<KeyRange, "reverse" | "limit"> = {}): AsyncGenerator<readonly [key: Buffer, value: Uint8Array]> {
    for await (const [key, value] of this.options.store.iterate({ ...this.range(start), ...options }))
      yield [Buffer.from(key.subarray(1)), value];
  }

  /** Ends following; the store is its owner's to close. */
  close(): void {
    for (const partition of this.partitions) this.options.follower.unfollow(this.options.topic, partition);
  }

  private async take(partition: Partition, records: readonly KafkaMessage[], next: number): Promise<void> {
    const { store, changesOf = changesAsTheyAre, onTaken } = this.options;
    const changes = await changesOf(records, partition);
    const writes = changes.map(({ key, value }): StoreWrite => {
      const stored = this.keyOf(key);
      return value === null ? { type: "del", key: stored } : { type: "put", key: stored, value };
    });
    await store.batch([...writes, { type: "put", key: this.placeKey(partition), value: Buffer.from(String(next)) }]);
    if (changes.length > 0) await onTaken?.(changes);
  }

  private keyOf(key: Buffer): Buffer {
    return Buffer.concat([Buffer.from(this.options.prefix), key]);
  }

  private placeKey(partition: Partition): Buffer {
    return Buffer.from(`@${this.options.prefix}${partition}`);
  }

  private range(start = ""): { readonly gte: Buffer; readonly lt: Buffer } {
    const gte = this.keyOf(Buffer.from(start));
    const lt = Buffer.from(gte);
    lt.writeUInt8(lt.readUInt8(lt.length - 1) + 1, lt.length - 1);
    return { gte, lt };
  }
}

async function changesAsTheyAre(records: readonly KafkaMessage[]): Promise<readonly TableChange[]> {
  return records.flatMap(({ key, value }) => (key === null || key.length === 0 ? [] : [{ key, value }]));
}
