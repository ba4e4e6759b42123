import { hash } from "node:crypto";
import type { Kafka } from "kafkajs";
import { KindredError } from "../../schemas/errors.js";
import type { BehaviourEvent, EventRules } from "../../schemas/event.js";
import type { EpochMs, UserId } from "../../schemas/ids.js";
import type { DeadLetter, DeadLetters } from "../../schemas/ports/admin.js";
import type { Log } from "../../schemas/ports/log.js";
import type { Position } from "../../schemas/position.js";
import type { NewDeadLetter } from "../new-dead-letter.js";
import type { EventCodec } from "../registry/event-codec.js";
import { type KeptLetter, type Replayed, replayLetters } from "../replay-letters.js";
import type { KafkaSettings } from "./client.js";
import { type EventsTopic, eventRecord } from "./event-records.js";
import type { KafkaProducer } from "./kafka-producer.js";
import { letterOf, letterRecord } from "./letter-records.js";
import { LetterReader, LetterSurvey, type Surveyed } from "./letter-survey.js";
import { bytesOf, type OutRecord, positionAfter, type TopicLimits } from "./out-records.js";
import { Transactions } from "./transactions.js";

export interface KafkaDeadLettersOptions {
  readonly kafka: Kafka;
  readonly settings: KafkaSettings;
  readonly producer: KafkaProducer;
  readonly codec: EventCodec;
  readonly events: EventsTopic;
  readonly limits: TopicLimits;
  /** As of now: a letter may pass that did not when it was written. */
  readonly rules: () => EventRules;
  /** Most letters kept; the oldest leave, now and then. */
  readonly maxLetters: number;
  readonly log: Log;
  readonly now?: () => EpochMs;
}

/** Letters go to the producer in pieces of so many bytes: others want room there too. */
const PIECE_BYTES = 1 << 20;
/** How long a letter waits where the producer has no room. */
const OVERLOADED_MS = 100;
/** How many letters are kept before the oldest are looked for. */
const TRIM_EVERY = 10_000;
/** How long a letter in a format of the registry waits for its schema. */
const SCHEMA_MS = 5_000;

/**
 * Dead letters on a compacted topic, newest record by origin. The topic is small and seldom asked for, so it is read when it is. It has one
 * partition: what lies in others is not looked at.
 */
export class KafkaDeadLetters implements DeadLetters {
  private readonly reader: LetterReader;
  private readonly transactions: Transactions;
  private readonly topic: string;
  private readonly now: () => EpochMs;
  private replaying: Promise<unknown> = Promise.resolve();
  private keptSinceTrim = 0;

  constructor(private readonly options: KafkaDeadLettersOptions) {
    const { kafka, settings, limits, log, now = Date.now } = options;
    this.topic = settings.topics.deadLetters;
    this.reader = new LetterReader(kafka, settings, log);
    this.transactions = new Transactions(kafka, `${settings.groupId}-dead-letters`, limits);
    this.now = now;
  }

  /** Durable when it resolves; letters of the same origin are one. @throws KindredError BROKER_FAILED */
  async keep(letters: readonly NewDeadLetter[]): Promise<void> {
    const { maxLetters, limits } = this.options;
    if (letters.length === 0 || maxLetters === 0) return;
    const at = this.now();
    await this.append(letters.map((letter) => letterRecord(this.topic, letter, at, limits)));
    this.keptSinceTrim += letters.length;
    if (this.keptSinceTrim < Math.min(TRIM_EVERY, maxLetters)) return;
    this.keptSinceTrim = 0;
    await this.dropOldest();
  }

  async list({ after = 0, limit }: { readonly after?: number; readonly limit: number }): Promise<DeadLetter[]> {
    const survey = await LetterSurvey.make(this.reader);
    const wanted = survey.letters.filter(({ number }) => number > after).slice(0, limit);
    return (await survey.withRecords(wanted)).map(({ record, number }) => letterOf(record, number).letter);
  }

  /**
   * One at a time, also of several processes: who replays ends another's replay before it reads what is there, so no letter goes back twice.
   * @throws KindredError OWNERSHIP_LOST (another replay began), BROKER_FAILED
   */
  replay(repairs: ReadonlyMap<number, unknown> | "all"): Promise<Replayed> {
    const done = this.replaying.then(() => this.replayNow(repairs));
    this.replaying = done.catch(() => undefined);
    return done;
  }

  /** Deletes every letter known to be about a user. @returns how many. @throws KindredError BROKER_FAILED */
  async forget(user: UserId): Promise<number> {
    const { letters } = await LetterSurvey.make(this.reader, 0);
    return this.delete(letters.filter((letter) => letter.user === user));
  }

  /** Deletes the oldest letters above the limit. @returns how many. @throws KindredError BROKER_FAILED */
  async dropOldest(): Promise<number> {
    const { letters } = await LetterSurvey.make(this.reader, 0);
    return this.delete(letters.slice(0, Math.max(0, letters.length - this.options.maxLetters)));
  }

  async close(): Promise<void> {
    await this.replaying;
    await this.transactions.close();
  }

  private async replayNow(repairs: ReadonlyMap<number, unknown> | "all"): Promise<Replayed> {
    await this.transactions.open();
    try {
      const survey = await LetterSurvey.make(this.reader);
      const kept = async (letters: readonly Surveyed[]): Promise<KeptLetter[]> => {
        const found = await survey.withRecords(letters);
        return Promise.all(found.map(({ record, number }) => this.asRead(letterOf(record, number), record.value)));
      };
      return await replayLetters(
        {
          page: (after, limit) => kept(survey.letters.filter(({ number }) => number > after).slice(0, limit)),
          find: (numbers) => {
            const wanted = new Set(numbers);
            return kept(survey.letters.filter(({ number }) => wanted.has(number)));
          },
          replace: (letters, events) => this.replace(letters, events),
        },
        repairs,
        this.options.rules,
      );
    } finally {
      await this.transactions.close();
    }
  }

  private async replace(letters: readonly KeptLetter[], events: readonly BehaviourEvent[]): Promise<Position> {
    const { codec, events: topic } = this.options;
    const encode = await codec.eventEncoder(topic.topic);
    const now = this.now();
    // A batch that is read again after a crash brings its letters again: replayed twice, such a letter counts once.
    const identified = events.map((event, i) => ({ ...event, id: event.id ?? idOf(letters[i]?.letter.origin ?? "") }));
    const records = identified.map((event) => eventRecord(topic, event, encode(event), now));
    return this.transactions.run(async (send) => {
      const position = positionAfter(topic.topic, records, await send(records));
      await send(letters.map(({ letter }) => this.tombstone(letter.origin, now)));
      return position;
    });
  }

  /** A letter in a format that only the codec reads, once it can be read. */
  private async asRead(kept: KeptLetter, value: Buffer | null): Promise<KeptLetter> {
    if (kept.raw !== undefined || value === null) return kept;
    const { codec, rules } = this.options;
    try {
      await codec.ready([value], AbortSignal.timeout(SCHEMA_MS));
      return { ...kept, raw: codec.event(value, rules().latestTs) };
    } catch {
      return kept;
    }
  }

  private async delete(letters: readonly Surveyed[]): Promise<number> {
    const now = this.now();
    await this.append(letters.map(({ origin }) => this.tombstone(origin, now)));
    return letters.length;
  }

  private tombstone(origin: string, timestamp: EpochMs): OutRecord {
    return { topic: this.topic, partition: 0, key: Buffer.from(origin), value: null, timestamp };
  }

  private async append(records: readonly OutRecord[]): Promise<void> {
    for (let at = 0; at < records.length; ) {
      const piece: OutRecord[] = [];
      for (let bytes = 0; at < records.length && bytes < PIECE_BYTES; at++) {
        const record = records[at] as OutRecord;
        bytes += bytesOf(record);
        piece.push(record);
      }
      await this.appendPiece(piece);
    }
  }

  /** Letters are never refused for want of room: what they are about would count as read without them. */
  private async appendPiece(records: readonly OutRecord[]): Promise<void> {
    for (;;) {
      try {
        await this.options.producer.append(records);
        return;
      } catch (error) {
        if (!(error instanceof KindredError) || error.code !== "OVERLOADED") throw error;
        await new Promise((resolve) => setTimeout(resolve, OVERLOADED_MS));
      }
    }
  }
}

/** An event's id that its letter gives it. */
const idOf = (origin: string): string => `letter-${hash("sha256", origin, "hex").slice(0, 32)}`;
