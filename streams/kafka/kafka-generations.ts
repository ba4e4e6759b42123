import type { Kafka } from "kafkajs";
import type { GenerationRef } from "../../schemas/catalogue.js";
import type { EpochMs } from "../../schemas/ids.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import type { Log } from "../../schemas/ports/log.js";
import type { KafkaProducer } from "./kafka-producer.js";
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
}

const KEY = "generation/";

/** Generations as they are published: updaters announce, recall nodes follow. */
export class KafkaGenerations {
  private readonly table: TopicTable;

  constructor(private readonly options: KafkaGenerationsOptions) {
    this.table = new TopicTable({
      ...options,
      prefix: "g",
      onTaken: (changes) => {
        for (const { value } of changes) {
          const announced = value === null ? undefined : this.announcementOf(value);
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

  close(): void {
    this.table.close();
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
