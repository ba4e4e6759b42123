import type { BehaviourEvent } from "../../schemas/event.js";
import type { ItemId, Offset, UserId } from "../../schemas/ids.js";
import type { LogRecord } from "../../schemas/log-record.js";
import type { LogReader, SourceRecord } from "../../schemas/ports/event-log.js";
import { decodeRecord } from "../../streams/record-codec.js";

export const event = (user: string, item: string, ts = 1_700_000_000_000, more: Partial<BehaviourEvent> = {}): BehaviourEvent => ({
  user: user as UserId,
  item: item as ItemId,
  action: "play",
  ts,
  ...more,
});

export const record = (user: string, item: string, ts?: number): LogRecord => ({ kind: "event", event: event(user, item, ts) });

/** Events of `users` users, each with an item of its own, so that any loss or doubling shows. */
export const records = (count: number, users = 7, from = 0): LogRecord[] =>
  Array.from({ length: count }, (_, i) => record(`u${(from + i) % users}`, `song:${from + i}`));

/** Everything after `after`, until nothing more comes. */
export async function readAll(reader: LogReader, after = 0, maxRecords = 1000): Promise<SourceRecord[]> {
  const all: SourceRecord[] = [];
  let position = after as Offset;
  for (;;) {
    const batch = await reader.read(position, { maxRecords, waitMs: 0, signal: new AbortController().signal });
    if (batch === null || batch.endOffset === position) return all;
    if (batch.records.length > maxRecords) throw new Error("more records than asked for");
    all.push(...batch.records);
    position = batch.endOffset;
  }
}

export const itemsOf = (read: readonly SourceRecord[]): string[] =>
  read.map(({ bytes, damage }) => {
    if (damage !== undefined) return "damaged";
    if (bytes === null) return "erased";
    const decoded = decodeRecord(bytes);
    return decoded.kind === "event" ? decoded.event.item : decoded.kind;
  });
