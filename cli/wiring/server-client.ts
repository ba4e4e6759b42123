import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../../schemas/config.js";
import { isErrorCode, KindredError } from "../../schemas/errors.js";

interface Problem {
  readonly code?: string;
  readonly detail?: string;
  readonly title?: string;
}

/** Events that one request takes, where the server has this configuration. Beyond 5,000 a larger request is no faster. */
export const eventsPerRequest = (config: Config): number => Math.min(5_000, config.server.maxEventsPerRequest);

/** Talks to a running server. Its problem details come back as the errors they are. */
export class ServerClient {
  constructor(
    readonly url: string,
    private readonly signal?: AbortSignal,
  ) {}

  get<T>(path: string): Promise<T> {
    return this.ask<T>("GET", path);
  }

  /** Lines of JSON as they come. @throws also where the answer is cut within a line */
  async *lines<T>(path: string): AsyncGenerator<T> {
    const answer = await this.fetch("GET", path, undefined);
    if (!answer.ok) throw problemOf(answer, await answer.text(), this.url);
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let rest = "";
    try {
      for await (const chunk of answer.body ?? []) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) yield JSON.parse(line) as T;
      }
    } catch (cause) {
      if (this.signal?.aborted || cause instanceof KindredError) throw cause;
      throw new KindredError("NOT_READY", `the answer was cut: ${(cause as Error).message}`, this.url, { cause });
    }
    if (rest !== "") throw new KindredError("NOT_READY", "the answer was cut within a line", this.url);
  }

  delete<T>(path: string): Promise<T> {
    return this.ask<T>("DELETE", path);
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.ask<T>("POST", path, body);
  }

  /**
   * The same, as often as the server asks to come back later (429, 503): as long as it says in Retry-After.
   * @throws KindredError what the server answered otherwise, or NOT_READY when it is gone
   */
  async postPatiently<T>(path: string, body: unknown): Promise<T> {
    for (;;) {
      try {
        return await this.ask<T>("POST", path, body);
      } catch (error) {
        if (!(error instanceof KindredError) || error.retryAfterSeconds === undefined || error.code === "NOT_READY") throw error;
        await sleep(error.retryAfterSeconds * 1000, undefined, this.signal && { signal: this.signal });
      }
    }
  }

  private async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.fetch(method, path, body);
    const text = await answer.text();
    if (answer.ok) return JSON.parse(text) as T;
    throw problemOf(answer, text, this.url);
  }

  private async fetch(method: string, path: string, body: unknown): Promise<Response> {
    const json = body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    try {
      return await fetch(`${this.url}${path}`, { method, ...json, ...(this.signal && { signal: this.signal }) });
    } catch (error) {
      if (this.signal?.aborted) throw error;
      const cause = (error as Error).cause;
      throw new KindredError(
        "NOT_READY",
        `the server does not answer: ${cause instanceof Error ? cause.message : (error as Error).message}`,
        this.url,
        { cause: error },
      );
    }
  }
}

function problemOf(answer: Response, text: string, url: string): KindredError {
  let problem: Problem = {};
  try {
    problem = JSON.parse(text) as Problem;
  } catch {
    // Not ours, e.g. of a proxy in between: the status tells.
  }
  const retryAfter = Number(answer.headers.get("retry-after"));
  const asked = answer.headers.has("retry-after") && Number.isFinite(retryAfter) ? { retryAfterSeconds: retryAfter } : {};
  const fallback = answer.status === 413 ? "BODY_TOO_LARGE" : answer.status === 429 || answer.status === 503 ? "OVERLOADED" : "INTERNAL";
  return new KindredError(
    isErrorCode(problem.code) ? problem.code : fallback,
    problem.detail ?? problem.title ?? `status ${answer.status}`,
    url,
    asked,
  );
}
