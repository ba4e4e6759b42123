import type { BehaviourEvent } from "../../schemas/event.js";
import type { EpochMs, Offset, UserId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { LogRecord } from "../../schemas/log-record.js";
import type { EventIntake } from "../../schemas/ports/event-log.js";
import type { Position } from "../../schemas/position.js";
import type { Journal } from "./journal.js";
import { JOURNAL_PARTITION } from "./journal-reader.js";

/** Events as records of a log. */
export const eventRecords = (events: readonly BehaviourEvent[]): LogRecord[] => events.map((event) => ({ kind: "event", event }));

/** A position in the journal. */
export const journalPosition = (offset: Offset): Position => new Map([[JOURNAL_PARTITION, offset]]);

/** Where producers' events go when the journal is the log. */
export class JournalIntake implements EventIntake {
  constructor(readonly journal: Journal) {}

  async append(events: readonly BehaviourEvent[]): Promise<Position> {
    return journalPosition(events.length === 0 ? this.journal.endOffset : await this.journal.append(eventRecords(events)));
  }

  putItems(items: readonly ItemInfo[]): Promise<void> {
    return this.journal.items.put(items);
  }

  async erase(user: UserId, at: EpochMs): Promise<{ readonly position: Position; readonly payloadKeyDropped: boolean }> {
    const { offset, keyDropped } = await this.journal.erase(user, at);
    return { position: journalPosition(offset), payloadKeyDropped: keyDropped };
  }
}
