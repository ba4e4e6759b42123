import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hideAborted } from "../../../streams/kafka/aborted-records.js";
import { FetchedRecord } from "../../../streams/kafka/record-batch.js";

const record = (offset: number, producer: string, inTransaction = true): FetchedRecord =>
  new FetchedRecord(offset, 0, Buffer.from("k"), Buffer.from(`${producer} ${offset}`), {}, false, { producerId: producer, inTransaction });
const marker = (offset: number, producer: string, type: 0 | 1): FetchedRecord =>
  new FetchedRecord(offset, 0, Buffer.from([0, 0, 0, type]), Buffer.from("m"), {}, true, { producerId: producer, inTransaction: true });
const shown = ({ messages }: { messages: readonly FetchedRecord[] }): number[] =>
  messages.filter(({ isControlRecord }) => !isControlRecord).map(({ offset }) => offset);

/** A log of several producers' transactions that overlap, and what a reader of committed records may see of it. */
const logs = fc.array(
  fc.record({ producer: fc.integer({ min: 0, max: 3 }), move: fc.constantFrom("send", "send", "send", "commit", "abort") }),
  {
    minLength: 1,
    maxLength: 40,
  },
);

interface Transaction {
  readonly producerId: string;
  readonly first: number;
  readonly offsets: number[];
}

function written(moves: readonly { producer: number; move: string }[]) {
  const records: FetchedRecord[] = [];
  const open = new Map<string, Transaction>();
  const aborted: (Transaction & { readonly end: number })[] = [];
  const hidden = new Set<number>();
  for (const { producer, move } of moves) {
    const [offset, id] = [records.length, String(producer)];
    const transaction = open.get(id);
    if (move === "send") {
      records.push(record(offset, id));
      if (transaction) transaction.offsets.push(offset);
      else open.set(id, { producerId: id, first: offset, offsets: [offset] });
    } else if (transaction) {
      records.push(marker(offset, id, move === "commit" ? 1 : 0));
      open.delete(id);
      if (move === "abort") {
        aborted.push({ ...transaction, end: offset });
        for (const one of transaction.offsets) hidden.add(one);
      }
    }
  }
  return { records, aborted, hidden };
}

describe("hideAborted", () => {
  it("hides what was aborted and nothing else, wherever the fetch begins and ends, named in the order in which brokers do", async () => {
    fc.assert(
      fc.property(logs, fc.nat(40), fc.nat(40), (moves, from, count) => {
        const { records, aborted, hidden } = written(moves);
        const messages = records.slice(from, from + count);
        const end = from + messages.length;
        const named = aborted
          .filter((one) => one.end >= from && one.first < end)
          .map(({ producerId, first }) => ({ producerId, firstOffset: String(first) }));
        const answer = hideAborted({ messages, abortedTransactions: named });
        expect(answer.messages.map(({ offset }) => offset)).toEqual(messages.map(({ offset }) => offset));
        expect(shown(answer)).toEqual(shown({ messages: messages.filter(({ offset }) => !hidden.has(offset)) }));
      }),
    );
  });

  it("shows a damaged record, which somebody has to be told of", () => {
    const damaged = new FetchedRecord(1, 0, null, null, {}, false, { producerId: "a", inTransaction: true }, "why");
    const answer = hideAborted({ messages: [record(0, "a"), damaged], abortedTransactions: [{ producerId: "a", firstOffset: "0" }] });
    expect(shown(answer)).toEqual([1]);
  });

  it("shows what is in no transaction, whoever its producer is", () => {
    const messages = [record(0, "a"), record(1, "a", false), marker(2, "a", 0)];
    expect(shown(hideAborted({ messages, abortedTransactions: [{ producerId: "a", firstOffset: "0" }] }))).toEqual([1]);
  });
});
