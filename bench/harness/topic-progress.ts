import { parsePosition } from "../../schemas/position.js";
import { getJson, type RowsAnswer } from "../../test/harness/kafka-cluster.js";
import { type KindredServer, sleep } from "../../test/harness/kindred-process.js";

const POLL_MS = 100;

/** Offsets that a node has applied, of all partitions together. */
export const appliedOf = ({ position }: Pick<RowsAnswer, "position">): number =>
  [...parsePosition(position).values()].reduce((sum, offset) => sum + offset, 0);

/** Resolves when the node has applied at least so many records of the events topic, activations of catalogues among them. */
export async function waitForEvents(node: KindredServer, events: number): Promise<void> {
  for (;;) {
    const answer = await getJson<RowsAnswer>(`${node.url}/v1/state/hash`).catch((error: unknown) => {
      throw new Error(`the node does not answer: ${node.logText.slice(-4_000)}`, { cause: error });
    });
    if (appliedOf(answer) >= events) return;
    await sleep(POLL_MS);
  }
}
