import { from, lastValueFrom, toArray } from "rxjs";
import { describe, expect, it } from "vitest";
import type { Offset, Partition } from "../../../schemas/ids.js";
import type { FoldedBatch } from "../../../schemas/ports/folded-batch.js";
import type { FoldingState } from "../../../streams/folding-state.js";
import type { NewDeadLetter } from "../../../streams/new-dead-letter.js";
import type { DecodedBatch, FoldedStep } from "../../../streams/operators/batches.js";
import { foldState } from "../../../streams/operators/fold-state.js";

const LETTER: NewDeadLetter = {
  code: "RECORD_UNREADABLE",
  message: "",
  origin: "",
  original: new Uint8Array(),
  journalOffset: 1 as Offset,
};

/** Keeps open what it may. */
class OpenState implements FoldingState {
  readonly appliedOffset = 0 as Offset;
  readonly migrating = false;
  readonly ends: number[] = [];

  async fold(_records: unknown, endOffset: Offset): Promise<FoldedBatch> {
    this.ends.push(endOffset);
    return { endOffset } as FoldedBatch;
  }

  async foldOn(): Promise<undefined> {
    return undefined;
  }

  async commit(): Promise<void> {}
}

function batch(endOffset: number, more: boolean, acknowledged: number[], letters: readonly NewDeadLetter[] = []): DecodedBatch {
  return {
    partition: 0 as Partition,
    endOffset: endOffset as Offset,
    records: Array.from({ length: 10 }) as DecodedBatch["records"],
    letters,
    unreadable: 1,
    acceptedAt: 1_000 - endOffset,
    more,
    acknowledge: () => acknowledged.push(endOffset),
  };
}

const steps = (state: FoldingState, batches: readonly DecodedBatch[], now = () => 0): Promise<FoldedStep[]> =>
  lastValueFrom(from(batches).pipe(foldState(state, now), toArray()));

describe("foldState", () => {
  it("makes one step of batches that others follow: their counts add up, the oldest time holds, those kept give their credits back", async () => {
    const acknowledged: number[] = [];
    const state = new OpenState();
    const given = await steps(
      state,
      [10, 20, 30, 40].map((end) => batch(end, end !== 30 && end !== 40, acknowledged)),
    );
    expect(given).toMatchObject([
      { endOffset: 30, records: 30, unreadable: 3, acceptedAt: 970 },
      { endOffset: 40, records: 10, unreadable: 1, acceptedAt: 960 },
    ]);
    expect(state.ends).toEqual([30, 40]);
    expect(acknowledged).toEqual([10, 20]);
  });

  it("ends a step that is open for ten seconds although more follows", async () => {
    let now = 0;
    const slow = new (class extends OpenState {
      override async foldOn(): Promise<undefined> {
        now += 4_000;
      }
    })();
    const given = await steps(
      slow,
      [1, 2, 3, 4, 5].map((end) => batch(end, true, [])),
      () => now,
    );
    expect(given.map(({ endOffset }) => endOffset)).toEqual([4]);
  });

  it("ends a step with a batch that has dead letters, and hands them on", async () => {
    const given = await steps(new OpenState(), [batch(1, true, []), batch(2, true, [], [LETTER]), batch(3, false, [])]);
    expect(given.map(({ endOffset, letters }) => [endOffset, letters.length])).toEqual([
      [2, 1],
      [3, 0],
    ]);
  });
});
