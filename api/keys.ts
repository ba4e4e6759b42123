import { KindredError } from "../schemas/errors.js";

/** What a route needs a key for, declared in its `config`. Routes outside /v1 declare none. */
export type Scope = "events" | "recall" | "admin";

declare module "fastify" {
  interface FastifyContextConfig {
    readonly scope?: Scope;
  }
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i;

/**
 * While no keys can be configured, anyone who reaches the port may do anything: so only this machine may reach it.
 * @throws KindredError CONFIG_INVALID
 */
export function assertLoopback(host: string): void {
  if (LOOPBACK.test(host)) return;
  throw new KindredError(
    "CONFIG_INVALID",
    `without keys the server listens on loopback only (127.0.0.1, ::1, localhost), not on ${host}`,
    "server.host",
  );
}
