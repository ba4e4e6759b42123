import { setTimeout as sleep } from "node:timers/promises";
import type { Static } from "typebox";
import { generationsAnswer } from "../../api/admin-answers.js";
import type { Config } from "../../schemas/config.js";
import type { GenerationsAnswer, PublishedAnswer } from "../../schemas/http.js";
import type { Generation } from "../../schemas/ids.js";
import type { Generations } from "../../schemas/ports/generations.js";
import { withUpdater } from "./offline.js";
import type { ServerClient } from "./server-client.js";

export type GenerationsBody = Static<typeof GenerationsAnswer>;

/** What a command does with generations, through the server or in the directory itself. */
export interface GenerationsTarget {
  list(): Promise<GenerationsBody>;
  /** @param folder an absolute path */
  publish(folder: string): Promise<number>;
  activate(id: number): Promise<GenerationsBody>;
  retire(id: number): Promise<GenerationsBody>;
}

const POLL_MS = 250;

/** Through the server, or, where there is none, with the directory open as long as the work takes. */
export function withGenerations<T>(
  config: Config,
  server: ServerClient | undefined,
  signal: AbortSignal,
  work: (target: GenerationsTarget) => Promise<T>,
): Promise<T> {
  if (server) return work(overHttp(server));
  return withUpdater(config, { signal, activate: true }, ({ generations }) => work(here(generations)));
}

/** How far a publishing is. */
export type OnPublishing = (rows: number, pooled: number, state: string | undefined) => void;

/** Resolves once it is not to become active by itself any more: it is, or somebody wants otherwise. */
export async function untilAnswering(
  target: GenerationsTarget,
  id: number,
  signal: AbortSignal,
  onPublishing: OnPublishing,
): Promise<GenerationsBody> {
  for (;;) {
    const answer = await target.list();
    const { rows = 0, pooled = 1, state } = answer.generations.find((one) => one.id === id) ?? {};
    if (answer.next !== id) return answer;
    onPublishing(rows, pooled, state);
    await sleep(POLL_MS, undefined, { signal });
  }
}

const overHttp = (server: ServerClient): GenerationsTarget => ({
  list: () => server.get<GenerationsBody>("/v1/generations"),
  publish: async (folder) => (await server.post<Static<typeof PublishedAnswer>>("/v1/generations", { folder })).id,
  activate: (id) => server.post<GenerationsBody>(`/v1/generations/${id}/activate`, {}),
  retire: (id) => server.delete<GenerationsBody>(`/v1/generations/${id}`),
});

const here = (generations: Generations): GenerationsTarget => ({
  list: async () => generationsAnswer(await generations.list()),
  publish: (folder) => generations.publish(folder),
  activate: async (id) => generationsAnswer(await generations.activate(id as Generation)),
  retire: async (id) => generationsAnswer(await generations.retire(id as Generation)),
});
