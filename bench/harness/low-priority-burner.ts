import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** On Linux a nice value belongs to the thread that sets it. */
const CODE = `
const { setPriority } = require("node:os");
const { parentPort } = require("node:worker_threads");
setPriority(0, 10);
parentPort.postMessage("burning");
for (;;) {}
`;

/**
 * A thread that takes as much of a core as a builder does, at the same priority, and touches nothing: what searches lose
 * beside it is what the scheduler gives it, not what a build costs.
 */
export async function burnAtLowPriority<T>(work: () => Promise<T>): Promise<T> {
  const burner = new Worker(CODE, { eval: true });
  await once(burner, "message");
  try {
    return await work();
  } finally {
    await burner.terminate();
  }
}
