import { map, type OperatorFunction } from "rxjs";
import { KindredError } from "../../schemas/errors.js";
import type { LogRecord, PositionedRecord } from "../../schemas/log-record.js";
import type { SourceBatch, SourceRecord } from "../../schemas/ports/event-log.js";
import type { NewDeadLetter } from "../new-dead-letter.js";
import type { DecodedBatch, PulledBatch } from "./batches.js";

/** A record of a log that has bytes. */
export type ReadableRecord = SourceRecord & { readonly bytes: Uint8Array };

/** The record of a log's bytes. @throws Error saying what is wrong with them; a KindredError's code is the dead letter's */
export type Decode = (record: ReadableRecord) => LogRecord;

/** Bytes become records; what can't be read becomes a dead letter and the rest of the batch goes on. */
export function decodeRecords(decode: Decode, source = "journal"): OperatorFunction<PulledBatch, DecodedBatch> {
  return map(({ batch, acknowledge }) => ({ ...decodeBatch(batch, decode, source), acknowledge }));
}

function decodeBatch(batch: SourceBatch, decode: Decode, source: string): Omit<DecodedBatch, "acknowledge"> {
  const records: PositionedRecord[] = [];
  const letters: NewDeadLetter[] = [];
  let unreadable = 0;
  let acceptedAt = Number.POSITIVE_INFINITY;
  for (const record of batch.records) {
    if (record.acceptedAt > 0 && record.acceptedAt < acceptedAt) acceptedAt = record.acceptedAt;
    if (record.damage !== undefined) letters.push(letterOf(record, batch, source, record.damage.message));
    else if (record.bytes === null) unreadable++;
    else {
      try {
        records.push({ offset: record.offset, record: decode(record as ReadableRecord) });
      } catch (error) {
        letters.push({
          ...letterOf(record, batch, source, error instanceof Error ? error.message : String(error)),
          ...(error instanceof KindredError && { code: error.code }),
        });
      }
    }
  }
  return {
    partition: batch.partition,
    endOffset: batch.endOffset,
    records,
    letters,
    unreadable,
    more: batch.more ?? false,
    acceptedAt: Number.isFinite(acceptedAt) ? acceptedAt : 0,
  };
}

function letterOf({ offset, bytes, damage }: SourceRecord, { partition }: SourceBatch, source: string, message: string): NewDeadLetter {
  const through = damage?.through ?? offset;
  const origin = `${source} ${partition}:${offset}${through > offset ? `-${through}` : ""}`;
  return { code: "RECORD_UNREADABLE", message, origin, original: bytes ?? new Uint8Array(), journalOffset: through };
}
