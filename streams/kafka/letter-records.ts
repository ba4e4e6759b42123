import type { KafkaMessage } from "kafkajs";
import { isErrorCode } from "../../schemas/errors.js";
import type { EpochMs } from "../../schemas/ids.js";
import { MAX_ORIGINAL_BYTES, type NewDeadLetter, originalText } from "../new-dead-letter.js";
import type { KeptLetter } from "../replay-letters.js";
import type { OutRecord, TopicLimits } from "./out-records.js";

/** Longest message of a letter that is kept, in UTF-16 code units. */
const MAX_MESSAGE = 2_000;
/** Bytes kept for what a letter's record is besides its original and raw event. */
const HEAD_BYTES = 10_000;

/** Of the text that a producer's bytes may come to: longer events as they were read are not kept beside the original. */
const jsonWithin = (raw: unknown, bytes: number): string | undefined => {
  const text = raw === undefined ? undefined : JSON.stringify(raw);
  return text !== undefined && Buffer.byteLength(text) <= bytes ? text : undefined;
};

/** A letter as its topic has it: its origin is the key, so that the same letter again is the same. Always small enough for the topic. */
export function letterRecord(topic: string, letter: NewDeadLetter, at: EpochMs, limits: TopicLimits): OutRecord {
  const room = Math.max(0, limits.of(topic) - HEAD_BYTES);
  const value = Buffer.from(letter.original.subarray(0, Math.min(MAX_ORIGINAL_BYTES, room)));
  const raw = jsonWithin(letter.raw, Math.min(MAX_ORIGINAL_BYTES, room - value.length));
  const headers: Record<string, string> = {
    code: letter.code,
    message: letter.message.slice(0, MAX_MESSAGE),
    origin: letter.origin,
    at: String(at),
    ...(letter.user !== undefined && { user: letter.user }),
    ...(raw !== undefined && { raw }),
  };
  return { topic, partition: 0, key: Buffer.from(letter.origin), value, headers, timestamp: at };
}

const header = ({ headers }: KafkaMessage, name: string): string | undefined => headers?.[name]?.toString();

/** The user that a letter's record is known to be about. */
export const userOf = (record: KafkaMessage): string | undefined => header(record, "user");

/** The letter of a record; what others wrote to the topic is a letter too, as far as it goes. */
export function letterOf(record: KafkaMessage, number: number): KeptLetter {
  const code = header(record, "code");
  const raw = rawOf(header(record, "raw"));
  return {
    letter: {
      number,
      code: isErrorCode(code) ? code : "RECORD_UNREADABLE",
      message: header(record, "message") ?? "",
      origin: header(record, "origin") ?? String(record.key),
      at: Number(header(record, "at") ?? record.timestamp),
      original: originalText(record.value ?? new Uint8Array()),
    },
    ...(raw !== undefined && { raw }),
  };
}

function rawOf(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}
