import { inject } from "vitest";

/** A server that is started once for all tests of the project `kafka`, or why there is none. */
export type GivenServer = { readonly address: string } | { readonly problem: string };

declare module "vitest" {
  export interface ProvidedContext {
    readonly kafka: GivenServer;
    readonly registry: GivenServer;
  }
}

function addressOf(server: GivenServer | undefined): string {
  if (server === undefined)
    throw new Error("only test/kafka/**/*.test.ts and test/**/*.servers.test.ts are given servers (vitest.config.ts)");
  if ("problem" in server) throw new Error(server.problem);
  return server.address;
}

/** A broker for every test that does it no harm, with topics and groups of its own: `KAFKA_BROKERS`, or one that was started. */
export const kafkaBrokers = (): string => addressOf(inject("kafka"));

/** A registry likewise, with subjects of its own: `SCHEMA_REGISTRY_URL`, or one that was started. */
export const registryUrl = (): string => addressOf(inject("registry"));
