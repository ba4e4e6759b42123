import type { Kafka, KafkaMessage, Producer, ProducerRecord } from "kafkajs";
import { KindredError } from "../../schemas/errors.js";
import type { EpochMs, Partition } from "../../schemas/ids.js";
import type { ChangelogRecord, ChangelogWriter, CommitAge } from "../../schemas/ports/changelog.js";
import type { KafkaSettings } from "./client.js";
import { asKindredError, isFenced } from "./kafka-errors.js";
import { takeId } from "./transactions.js";

/** Bytes of records in one request: brokers take a megabyte by default, with what is around them. */
const REQUEST_BYTES = 900_000;
/** Records in one request: kafkajs copies a partition's list for each that it adds. */
const REQUEST_RECORDS = 128;
/** What a record costs beside its key and value, at most. */
const RECORD_OVERHEAD_BYTES = 64;
/** An owner that dies in the middle of a transaction keeps readers waiting for so long, unless another takes the partition. A large commit needs many requests. */
const TRANSACTION_TIMEOUT_MS = 60_000;
/** The coordinator is a moment behind the last transaction: waiting longer at first would be most of a commit's time. */
const RETRY = { initialRetryTime: 15, maxRetryTime: 1_000, multiplier: 1.5, factor: 0.2, retries: 40 } as const;

/** Headers of the last record of a commit that has events: how many, and when the log took the oldest (epoch ms). */
const AGE = { acceptedAt: "accepted", events: "events" } as const;

type Message = ProducerRecord["messages"][number];

/**
 * The changelog of one partition, written by its owner. The transactional id belongs to the partition, and opening it takes it from
 * whoever had it before: an owner that was stopped, forgot that it lost the partition and goes on cannot commit anything. (kafkajs
 * commits offsets within transactions without the group's epoch, so the group's own fencing does not help.)
 */
export class KafkaChangelog implements ChangelogWriter {
  private revoked = false;

  private constructor(
    private readonly producer: Producer,
    private readonly topic: string,
    private readonly partition: Partition,
  ) {}

  /** Takes the partition: once it resolved no earlier owner can write. @throws KindredError BROKER_FAILED */
  static async open(kafka: Kafka, { topics, groupId }: KafkaSettings, partition: Partition): Promise<KafkaChangelog> {
    const producer = await takeId(kafka, `${groupId}-${topics.events}-${partition}`, TRANSACTION_TIMEOUT_MS, RETRY);
    return new KafkaChangelog(producer, topics.changelog, partition);
  }

  async write(records: readonly ChangelogRecord[], age?: CommitAge): Promise<number> {
    if (this.revoked) throw this.lost();
    try {
      return await this.transact(records, age);
    } catch (error) {
      if (this.revoked || isFenced(error)) throw this.lost(error);
      throw asKindredError(error, `the changelog of partition ${this.partition} could not be written`);
    }
  }

  /** The partition is another's from now on: nothing more is written. */
  revoke(): void {
    this.revoked = true;
  }

  async close(): Promise<void> {
    this.revoke();
    await this.producer.disconnect().catch(() => undefined);
  }

  private async transact(records: readonly ChangelogRecord[], age: CommitAge | undefined): Promise<number> {
    const transaction = await this.producer.transaction();
    try {
      const next = await this.send(transaction, records, age);
      if (this.revoked) throw this.lost();
      await transaction.commit();
      return next;
    } catch (error) {
      // Readers need not wait for the time-out then. Where it fails, whoever opens the id next ends it.
      if (transaction.isActive()) await transaction.abort().catch(() => undefined);
      throw error;
    }
  }

  /** @returns the place behind the last record */
  private async send(to: Pick<Producer, "send">, records: readonly ChangelogRecord[], age: CommitAge | undefined): Promise<number> {
    let next = 0;
    for (let from = 0; from < records.length; ) {
      const messages: Message[] = [];
      for (let bytes = 0; from < records.length; from++) {
        const { key, value } = records[from] as ChangelogRecord;
        bytes += key.length + (value?.length ?? 0) + RECORD_OVERHEAD_BYTES;
        if (messages.length === REQUEST_RECORDS || (bytes > REQUEST_BYTES && messages.length > 0)) break;
        messages.push({ key: asBuffer(key), value: value && asBuffer(value), partition: this.partition });
      }
      const last = messages.at(-1);
      if (last && from === records.length && age && age.acceptedAt > 0 && age.events > 0)
        last.headers = { [AGE.acceptedAt]: String(age.acceptedAt), [AGE.events]: String(age.events) };
      const [sent] = await to.send({ topic: this.topic, messages, acks: -1 });
      next = Number(sent?.baseOffset ?? sent?.offset) + messages.length;
    }
    return next;
  }

  private lost(cause?: unknown): KindredError {
    return new KindredError("OWNERSHIP_LOST", "another updater owns the partition now", `partition ${this.partition}`, { cause });
  }
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const NO_KEY = Buffer.alloc(0);

/** Records as they were read from the topic. */
export const changelogRecords = (messages: readonly KafkaMessage[]): ChangelogRecord[] =>
  messages.map(({ key, value }) => ({ key: key ?? NO_KEY, value }));

/** How old the events of the commits among these records are, as their owners said. */
export const agesOf = (messages: readonly KafkaMessage[]): CommitAge[] =>
  messages.flatMap(({ headers }) => {
    const acceptedAt: EpochMs = Number(headers?.[AGE.acceptedAt]?.toString());
    const events = Number(headers?.[AGE.events]?.toString());
    return acceptedAt > 0 && events > 0 ? [{ acceptedAt, events }] : [];
  });
