import type { Kafka } from "kafkajs";
import type { GenerationRef } from "../../schemas/catalogue.js";
import type { EpochMs } from "../../schemas/ids.js";
import type { GenerationsRecord } from "../../schemas/ports/generations.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import type { Log } from "../../schemas/ports/log.js";
import type { KafkaProducer } from "./kafka-producer.js";
import type { OutRecord } from "./out-records.js";
import type { TopicFollower } from "./topic-follower.js";
import { TopicTable } from "./topic-table.js";

/** A generation, and when it was announced. */
export interface AnnouncedGeneration extends GenerationRef {
  readonly at: EpochMs;
}

export interface KafkaGenerationsOptions {
  readonly kafka: Kafka;
  /** Reads the generations topic, and is started. */
  readonly follower: TopicFollower;
  readonly topic: string;
  readonly store: KeyValueStore;
  readonly producer: KafkaProducer;
  readonly log: Log;
  /** Told of each announcement as it is read, also of one's own. */
  readonly onGeneration: (generation: AnnouncedGeneration) => void;
  /** Told which generations are to be live, as it is read. */
  readonly onRecord?: (record: GenerationsRecord) => void;
}

const KEY = "generation/";
/** Which are to be live, and which is to answer: one record, replaced as a whole. */
const LIVE = "live";

/** Generations as they are published: updaters announce, recall nodes follow. */
export class KafkaGenerations {
  private readonly table: TopicTable;

  constructor(private readonly options: KafkaGenerationsOptions) {
    this.table = new TopicTable({
      ...options,
      prefix: "g",
      onTaken: (changes) => {
        for (const { key, value } of changes) {
          if (value === null) continue;
          if (key.toString() === LIVE) {
            const record = this.recordOf(value);
            if (record) options.onRecord?.(record);
            continue;
          }
          const announced = this.announcementOf(value);
          if (announced) options.onGeneration(announced);
        }
      },
    });
  }

  /** @throws KindredError BROKER_FAILED, STORAGE_FAILED */
  open(): Promise<void> {
    return this.table.open();
  }

  /** Resolves when everything that is on the topic by now was told. @throws KindredError NOT_READY (aborted), BROKER_FAILED */
  caughtUp(signal?: AbortSignal): Promise<void> {
    return this.table.caughtUp(signal);
  }

  /** Durable when it resolves; an earlier announcement of the same generation is replaced. @throws KindredError OVERLOADED, BROKER_FAILED */
  async announce(generation: GenerationRef, at: EpochMs): Promise<void> {
    const { producer, topic } = this.options;
    const announced: AnnouncedGeneration = { ...generation, at };
    const [key, value] = [Buffer.from(`${KEY}${generation.generation}`), Buffer.from(JSON.stringify(announced))];
    await producer.append([{ topic, partition: 0, key, value, timestamp: at }]);
  }

  /** What was announced as far as it was read, ascending by number. */
  async list(): Promise<AnnouncedGeneration[]> {
    const found: AnnouncedGeneration[] = [];
    for await (const [, value] of this.table.all(KEY)) {
      const announced = this.announcementOf(value);
      if (announced) found.push(announced);
    }
    return found.sort((a, b) => a.generation - b.generation);
  }

  /** Which are to be live, as of now; undefined where nothing was ever published. @throws KindredError BROKER_FAILED */
  async record(signal?: AbortSignal): Promise<GenerationsRecord | undefined> {
    await this.caughtUp(signal);
    const value = await this.table.get(LIVE);
    return value === undefined ? undefined : this.recordOf(value);
  }

  /** As it is sent: by whoever makes the catalogues, in a transaction of theirs. */
  outRecord(record: GenerationsRecord): OutRecord {
    return {
      topic: this.options.topic,
      partition: 0,
      key: Buffer.from(LIVE),
      value: Buffer.from(JSON.stringify(record)),
      timestamp: Date.now(),
    };
  }

  close(): void {
    this.table.close();
  }

  private recordOf(value: Uint8Array): GenerationsRecord | undefined {
    try {
      const read = JSON.parse(Buffer.from(value).toString()) as GenerationsRecord;
      if (Array.isArray(read.live) && read.live.some(({ generation }) => generation === read.serving)) return read;
    } catch {
      // Told below: not JSON at all.
    }
    this.options.log.error(
      { topic: this.options.topic },
      "what the generations topic says of live ones is not readable, and is passed over",
    );
    return undefined;
  }

  private announcementOf(value: Uint8Array): AnnouncedGeneration | undefined {
    try {
      const read = JSON.parse(Buffer.from(value).toString()) as Partial<AnnouncedGeneration> | null;
      const numbers = [read?.generation, read?.dims, read?.seed, read?.at];
      if (numbers.every(Number.isSafeInteger) && typeof read?.kind === "string") return read as AnnouncedGeneration;
    } catch {
      // Told below: not JSON at all.
    }
    this.options.log.error({ topic: this.options.topic }, "a record of the generations topic is no announcement, and is passed over");
    return undefined;
  }
}
