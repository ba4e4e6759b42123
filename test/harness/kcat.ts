import { runProgram } from "./run-program.js";

const PATIENCE_MS = 30_000;

/**
 * Runs kcat, a client that is not ours (librdkafka), e.g. `kcat(brokers, ["-C", "-t", topic, "-e", "-q"])`.
 * @returns what it printed
 */
export async function kcat(brokers: string, args: readonly string[], input?: string): Promise<string> {
  try {
    return await runProgram("kcat", ["-b", brokers, ...args], { timeoutMs: PATIENCE_MS, ...(input === undefined ? {} : { input }) });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new Error("kcat is missing; on Debian: apt-get install -y kcat", { cause: error });
  }
}
