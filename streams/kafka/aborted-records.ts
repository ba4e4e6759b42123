import type { FetchedRecord } from "./record-batch.js";

/** A transaction that was aborted and has records in the answer to a fetch, as brokers name it. */
export interface AbortedTransaction {
  readonly producerId: string;
  readonly firstOffset: string;
}

/** What is in an answer to a fetch, of one partition. */
export interface PartitionAnswer {
  readonly abortedTransactions?: readonly AbortedTransaction[] | null;
  readonly messages: readonly FetchedRecord[];
}

/**
 * Hides what was aborted: as records that nobody is shown, so that reading goes on behind them. kafkajs has its own way, which takes brokers to name
 * transactions by where they began; they name them by when they were aborted, and of two that overlap kafkajs shows one.
 * (KIP-98, "Consumer Coordinator"; the rule is that of Java's consumer.)
 */
export function hideAborted<T extends PartitionAnswer>(answer: T): T {
  const { abortedTransactions, messages } = answer;
  if (!abortedTransactions || abortedTransactions.length === 0) return answer;
  const coming = abortedTransactions
    .map(({ producerId, firstOffset }) => ({ producerId, first: Number(firstOffset) }))
    .sort((a, b) => a.first - b.first);
  const aborted = new Set<string>();
  let at = 0;
  const shown = messages.map((record) => {
    for (let next = coming[at]; next !== undefined && next.first <= record.offset; next = coming[++at]) aborted.add(next.producerId);
    const { producerId, inTransaction } = record.batchContext;
    if (record.isControlRecord) {
      if (isAbort(record.key)) aborted.delete(producerId);
      return record;
    }
    // Somebody has to be told of it, and its marker may be what it was.
    if (record.damage !== undefined) return record;
    return inTransaction && aborted.has(producerId) ? record.hidden() : record;
  });
  return { ...answer, abortedTransactions: [], messages: shown };
}

/** The key of a marker: its version, and whether it commits (1) or aborts (0). */
const isAbort = (key: Buffer | null): boolean => key !== null && key.length >= 4 && key.readInt16BE(2) === 0;
