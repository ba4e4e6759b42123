import type { Kafka, KafkaMessage } from "kafkajs";
import type { Log } from "../../schemas/ports/log.js";
import type { KafkaSettings } from "./client.js";
import { userOf } from "./letter-records.js";
import { TopicFollower } from "./topic-follower.js";
import { offsetOf } from "./topics.js";

/** Memory for letters of which the list may not be asked; above it they are read again when they are. */
const MAX_BYTES = 16 << 20;

/** A letter on the topic: the newest record of its origin. */
export interface Surveyed {
  readonly origin: string;
  /** Of its record, as kindred counts. */
  readonly number: number;
  readonly user: string | undefined;
  record?: KafkaMessage;
}

/** The topic of dead letters as it is at one moment, with as much of it in memory as is allowed. */
export class LetterSurvey {
  private constructor(
    private readonly reader: LetterReader,
    /** Ascending by number. */
    readonly letters: readonly Surveyed[],
  ) {}

  static async make(reader: LetterReader, maxBytes = MAX_BYTES): Promise<LetterSurvey> {
    const found = new Map<string, Surveyed>();
    let bytes = 0;
    const drop = (origin: string): void => {
      bytes -= found.get(origin)?.record?.value?.length ?? 0;
      found.delete(origin);
    };
    await reader.read(0, (record) => {
      const origin = String(record.key);
      // Deleted first, so that the map is in the order of the numbers.
      drop(origin);
      if (record.key === null || record.value === null) return;
      const letter: Surveyed = { origin, number: offsetOf(record.offset), user: userOf(record) };
      if (bytes + record.value.length <= maxBytes) {
        bytes += record.value.length;
        letter.record = record;
      }
      found.set(origin, letter);
    });
    return new LetterSurvey(reader, [...found.values()]);
  }

  /** The letters with their records: those that are not in memory are read again. What went meanwhile is left out. */
  async withRecords(letters: readonly Surveyed[]): Promise<(Surveyed & { readonly record: KafkaMessage })[]> {
    const missing = new Map(letters.flatMap((letter) => (letter.record ? [] : [[letter.number as number, letter] as const])));
    const read = new Map<number, KafkaMessage>();
    if (missing.size > 0)
      await this.reader.read(Math.min(...missing.keys()) - 1, (record) => {
        const number = offsetOf(record.offset);
        if (missing.has(number)) read.set(number, record);
      });
    return letters.flatMap((letter) => {
      const record = letter.record ?? read.get(letter.number);
      return record ? [{ ...letter, record }] : [];
    });
  }
}

/** Reads the one partition of a topic from a place to its end, by a reader of its own that goes afterwards. */
export class LetterReader {
  constructor(
    private readonly kafka: Kafka,
    private readonly settings: KafkaSettings,
    private readonly log: Log,
  ) {}

  /** @throws KindredError BROKER_FAILED, RECORD_UNREADABLE */
  async read(from: number, take: (record: KafkaMessage) => void): Promise<void> {
    const topic = this.settings.topics.deadLetters;
    const follower = new TopicFollower(this.kafka, [topic], this.settings, this.log);
    try {
      await follower.start();
      follower.follow(topic, 0, from, {
        take: (records) => {
          for (const record of records) take(record);
        },
      });
      await follower.caughtUp(topic, 0);
    } finally {
      await follower.close();
    }
  }
}
