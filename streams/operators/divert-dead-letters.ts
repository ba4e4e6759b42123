import { concatMap, from, type MonoTypeOperatorFunction, map, of } from "rxjs";
import type { NewDeadLetter } from "../new-dead-letter.js";
import type { DecodedBatch } from "./batches.js";

/** Puts dead letters where they can be listed, durably, before the batch goes on: its checkpoint moves the position past them. */
export function divertDeadLetters<Batch extends DecodedBatch>(
  keep: (letters: readonly NewDeadLetter[]) => Promise<void>,
): MonoTypeOperatorFunction<Batch> {
  return concatMap((batch) => (batch.letters.length === 0 ? of(batch) : from(keep(batch.letters)).pipe(map(() => batch))));
}
