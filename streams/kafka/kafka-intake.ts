import type { BehaviourEvent } from "../../schemas/event.js";
import type { EpochMs, UserId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { EventIntake } from "../../schemas/ports/event-log.js";
import type { Position } from "../../schemas/position.js";
import type { EventCodec } from "../registry/event-codec.js";
import { type EventsTopic, eraseRecord, eventRecord } from "./event-records.js";
import type { KafkaProducer } from "./kafka-producer.js";
import { type OutRecord, partitionOf } from "./out-records.js";

export interface KafkaIntakeOptions {
  readonly producer: KafkaProducer;
  readonly codec: EventCodec;
  readonly events: EventsTopic;
  readonly items: EventsTopic;
  /** Removes the dead letters of an erased user. */
  readonly forgetLetters?: (user: UserId) => Promise<unknown>;
  readonly now?: () => EpochMs;
}

/** Where producers' events go when topics are the log. */
export class KafkaIntake implements EventIntake {
  private readonly now: () => EpochMs;

  constructor(private readonly options: KafkaIntakeOptions) {
    this.now = options.now ?? Date.now;
  }

  /**
   * Events of several users are not taken all or none: each partition is written by itself. Where this rejects with BROKER_FAILED, some or all
   * may be on the topic; who sends them again gives them ids.
   * @throws KindredError OVERLOADED, EVENT_TOO_LARGE, REGISTRY_FAILED (nothing was taken), BROKER_FAILED
   */
  async append(events: readonly BehaviourEvent[]): Promise<Position> {
    const { producer, codec, events: topic } = this.options;
    if (events.length === 0) return new Map();
    const encode = await codec.eventEncoder(topic.topic);
    const now = this.now();
    return producer.append(events.map((event) => eventRecord(topic, event, encode(event), now)));
  }

  /** As `append`: of several items some may be taken. */
  async putItems(infos: readonly ItemInfo[]): Promise<void> {
    const { producer, codec, items } = this.options;
    if (infos.length === 0) return;
    const encode = await codec.itemEncoder(items.topic);
    const now = this.now();
    await producer.append(
      infos.map((info): OutRecord => {
        const key = Buffer.from(info.item);
        return { topic: items.topic, partition: partitionOf(items.topic, key, items.partitions), key, value: encode(info), timestamp: now };
      }),
    );
  }

  /** Payloads on a topic have no keys of their own: the user's events go as the brokers' retention says, and are not folded again. */
  async erase(user: UserId, at: EpochMs): Promise<{ readonly position: Position; readonly payloadKeyDropped: boolean }> {
    const { producer, events, forgetLetters } = this.options;
    const position = await producer.append([eraseRecord(events, user, at, this.now())]);
    await forgetLetters?.(user);
    return { position, payloadKeyDropped: false };
  }
}
