import type { Static } from "typebox";
import type { DeadLettersAnswer, GenerationsAnswer, ProfileAnswer, ReplayAnswer, StateHashAnswer, VerifyAnswer } from "../schemas/http.js";
import type { DeadLetter, DeadLetters, ProfileDetails, StateSummary, VerifyReport } from "../schemas/ports/admin.js";
import type { GenerationsStatus } from "../schemas/ports/generations.js";
import { formatPosition } from "../schemas/position.js";
import { toTime } from "./wire-time.js";

/** Answers of the admin endpoints; a command that works offline makes them itself, and prints the same either way. */
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

export const generationsAnswer = ({ serving, previous, next, generations }: GenerationsStatus): Static<typeof GenerationsAnswer> => ({
  active: serving,
  previous,
  next,
  generations: generations.map(({ ref, state, pooled, rows, items }) => ({
    id: ref.generation,
    dims: ref.dims,
    metric: "cosine",
    rows,
    items,
    active: ref.generation === serving,
    kind: ref.kind,
    state,
    pooled,
    folder: ref.folder ?? null,
    publishedAt: ref.publishedAt === null ? null : toTime(ref.publishedAt),
  })),
});
