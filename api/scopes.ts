/** What a route needs a key for, declared in its `config`. Routes outside /v1 declare none. */
export type Scope = "events" | "recall" | "admin";

declare module "fastify" {
  interface FastifyContextConfig {
    readonly scope?: Scope;
  }
}
