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
    if (appliedOf(await getJson<RowsAnswer>(`${node.url}/v1/state/hash`)) >= events) return;
    if (node.child.exitCode !== null) throw new Error(`the node has ended: ${node.logText.slice(-2_000)}`);
    await sleep(POLL_MS);
  }
}
