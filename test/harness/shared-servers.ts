import type { TestProject } from "vitest/node";
import type { GivenServer } from "./given-servers.js";
import { startBroker } from "./kafka-broker.js";
import { startRegistry } from "./schema-registry.js";

interface Shared {
  readonly given: GivenServer;
  stop(): Promise<void>;
}

const nothingToStop = async (): Promise<void> => undefined;

/** A server that does not start fails the tests that ask for it, by name, and no others: Vitest would run none at all if this threw. */
async function shared(running: string | undefined, start: () => Promise<{ address: string; stop(): Promise<void> }>): Promise<Shared> {
  if (running !== undefined && running !== "") return { given: { address: running.replace(/\/+$/, "") }, stop: nothingToStop };
  try {
    const { address, stop } = await start();
    return { given: { address }, stop };
  } catch (error) {
    return { given: { problem: error instanceof Error ? error.message : String(error) }, stop: nothingToStop };
  }
}

/** Vitest runs this once before the files of the project `kafka`, and what it returns after them. */
export default async function setUpSharedServers(project: TestProject): Promise<() => Promise<void>> {
  const [kafka, registry] = await Promise.all([
    shared(process.env["KAFKA_BROKERS"], async () => {
      const broker = await startBroker();
      return { address: broker.brokers, stop: () => broker.stop() };
    }),
    shared(process.env["SCHEMA_REGISTRY_URL"], async () => {
      const server = await startRegistry();
      return { address: server.url, stop: () => server.stop() };
    }),
  ]);
  project.provide("kafka", kafka.given);
  project.provide("registry", registry.given);
  return async () => {
    await Promise.all([kafka.stop(), registry.stop()]);
  };
}
