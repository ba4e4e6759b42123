import type { Kafka, KafkaMessage } from "kafkajs";
import { KindredError } from "../../schemas/errors.js";
import type { ItemId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import type { NewDeadLetter } from "../new-dead-letter.js";
import type { EventCodec } from "../registry/event-codec.js";
import { damageOf } from "./record-batch.js";
import type { TopicFollower } from "./topic-follower.js";
import { type TableChange, TopicTable } from "./topic-table.js";
import { offsetOf } from "./topics.js";

export interface KafkaItemsOptions {
  readonly kafka: Kafka;
  /** Reads the items topic, and is started. */
  readonly follower: TopicFollower;
  readonly topic: string;
  readonly store: KeyValueStore;
  readonly codec: EventCodec;
  /** Side information that is kept now, and items whose side information was deleted. */
  readonly onItems: (infos: readonly ItemInfo[], deleted: readonly ItemId[]) => Promise<void> | void;
  /** Keeps what could not be read, before it counts as read. */
  readonly onLetters: (letters: readonly NewDeadLetter[]) => Promise<void>;
  /** Ends waiting for the schema registry. */
  readonly signal: AbortSignal;
}

/** Side information of items, the latest of each, as the items topic has it, in a store at hand. */
export class KafkaItems {
  private readonly table: TopicTable;

  constructor(private readonly options: KafkaItemsOptions) {
    this.table = new TopicTable({
      ...options,
      prefix: "i",
      takesDamaged: true,
      changesOf: (records, partition) => this.changesOf(records, partition),
      onTaken: (changes) => {
        const infos = changes.flatMap(({ value }) => (value === null ? [] : [infoOf(value)]));
        const deleted = changes.flatMap(({ key, value }) => (value === null ? [key.toString() as ItemId] : []));
        return options.onItems(infos, deleted);
      },
    });
  }

  /** @throws KindredError BROKER_FAILED, STORAGE_FAILED */
  open(): Promise<void> {
    return this.table.open();
  }

  /** Resolves when everything that is on the topic by now is kept. @throws KindredError NOT_READY (aborted), BROKER_FAILED */
  caughtUp(signal?: AbortSignal): Promise<void> {
    return this.table.caughtUp(signal);
  }

  async get(item: ItemId): Promise<ItemInfo | undefined> {
    return (await this.getMany([item]))[0];
  }

  /** In the order of `items`. */
  async getMany(items: readonly ItemId[]): Promise<(ItemInfo | undefined)[]> {
    const values = await this.table.getMany(items);
    return values.map((value) => (value === undefined ? undefined : infoOf(value)));
  }

  /** All of them, ascending by the bytes of the id. */
  async *all(): AsyncGenerator<ItemInfo> {
    for await (const [, value] of this.table.all()) yield infoOf(value);
  }

  close(): void {
    this.table.close();
  }

  private async changesOf(records: readonly KafkaMessage[], partition: number): Promise<TableChange[]> {
    const { codec, signal, onLetters, topic } = this.options;
    await codec.ready(
      records.map(({ value }) => value),
      signal,
    );
    const changes: TableChange[] = [];
    const letters: NewDeadLetter[] = [];
    for (const record of records) {
      try {
        changes.push(changeOf(record, codec));
      } catch (error) {
        const code = error instanceof KindredError ? error.code : "RECORD_UNREADABLE";
        const origin = `${topic} ${partition}:${offsetOf(record.offset)}`;
        letters.push({ code, message: (error as Error).message, origin, original: record.value ?? new Uint8Array() });
      }
    }
    if (letters.length > 0) await onLetters(letters);
    return changes;
  }
}

/** @throws KindredError, Error: saying what is wrong with the record */
function changeOf(record: KafkaMessage, codec: EventCodec): TableChange {
  const damage = damageOf(record);
  if (damage !== undefined) throw new KindredError("RECORD_UNREADABLE", damage);
  const { key, value } = record;
  if (key === null || key.length === 0) throw new KindredError("RECORD_KEY", "a record of an item's side information has no key");
  if (value === null) return { key, value };
  const info = codec.item(value);
  if (info.item !== key.toString()) throw new KindredError("RECORD_KEY", `the key is not the item that the value is about, ${info.item}`);
  return { key, value: Buffer.from(JSON.stringify(info)) };
}

const infoOf = (value: Uint8Array): ItemInfo => JSON.parse(Buffer.from(value).toString()) as ItemInfo;
