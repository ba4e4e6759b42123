import type { BehaviourEvent } from "../../schemas/event.js";
import type { CatalogueNumber, EpochMs, UserId } from "../../schemas/ids.js";
import { type OutRecord, partitionOf } from "./out-records.js";

/** Header of records of ours on the events topic that are no events: says what they are. */
export const KIND_HEADER = "kindred";

/** The events topic, for who writes to it. */
export interface EventsTopic {
  readonly topic: string;
  readonly partitions: number;
}

/** An event, in its user's partition. */
export function eventRecord({ topic, partitions }: EventsTopic, event: BehaviourEvent, value: Buffer, timestamp: EpochMs): OutRecord {
  const key = Buffer.from(event.user);
  return { topic, partition: partitionOf(topic, key, partitions), key, value, timestamp };
}

export function eraseRecord({ topic, partitions }: EventsTopic, user: UserId, at: EpochMs, timestamp: EpochMs): OutRecord {
  const key = Buffer.from(user);
  const value = Buffer.from(JSON.stringify({ user, at }));
  return { topic, partition: partitionOf(topic, key, partitions), key, value, timestamp, headers: { [KIND_HEADER]: "erase" } };
}

/** In one partition: a catalogue is activated by one of them in each. */
export function activateRecord(topic: string, partition: number, catalogue: CatalogueNumber, timestamp: EpochMs): OutRecord {
  const value = Buffer.from(JSON.stringify({ catalogue }));
  return { topic, partition, key: null, value, timestamp, headers: { [KIND_HEADER]: "activate" } };
}
