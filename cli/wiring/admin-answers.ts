import type { Static } from "typebox";
import { toTime } from "../../api/wire-time.js";
import type { DeadLettersAnswer, ProfileAnswer, ReplayAnswer, StateHashAnswer, VerifyAnswer } from "../../schemas/http.js";
import type { DeadLetter, DeadLetters, ProfileDetails, StateSummary, VerifyReport } from "../../schemas/ports/admin.js";
import { formatPosition } from "../../schemas/position.js";

/** Answers of the admin endpoints, made without a server: a command prints the same either way. */
export function hashAnswer({ position, ...summary }: StateSummary): Static<typeof StateHashAnswer> {
  return { ...summary, position: formatPosition(position) };
}

export function profileAnswer({ partition, offset, ...row }: ProfileDetails): Static<typeof ProfileAnswer> {
  return {
    ...row,
    updatedAt: toTime(row.updatedAt),
    position: formatPosition(new Map([[partition, offset]])),
    items: row.items.map(({ item, weight, ts }) => ({ item, weight, ts: toTime(ts) })),
    keywords: [...row.keywords],
    accumulators: [...row.accumulators],
  };
}

export function verifyAnswer(report: VerifyReport): Static<typeof VerifyAnswer> {
  return { ok: report.faultCount === 0 && report.storedHash === report.recomputedHash, ...report, faults: [...report.faults] };
}

export function deadLettersAnswer(letters: readonly DeadLetter[]): Static<typeof DeadLettersAnswer> {
  return { deadLetters: letters.map((letter) => ({ ...letter, at: toTime(letter.at) })) };
}

export function replayAnswer({ position, ...counts }: Awaited<ReturnType<DeadLetters["replay"]>>): Static<typeof ReplayAnswer> {
  return { ...counts, position: formatPosition(position) };
}
