import { Agent, type IncomingMessage, request } from "node:http";

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly retryAfter: string | undefined;
  readonly ms: number;
}

/** A keep-alive HTTP client with a fixed number of connections: the load generator of all benches, and of tests under load. */
export class LoadClient {
  private readonly agent: Agent;

  constructor(
    private readonly url: string,
    connections: number,
  ) {
    this.agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  get(path: string): Promise<Answer> {
    return this.send("GET", path);
  }

  post(path: string, body: unknown): Promise<Answer> {
    return this.send("POST", path, JSON.stringify(body));
  }

  close(): void {
    this.agent.destroy();
  }

  private send(method: string, path: string, body?: string): Promise<Answer> {
    const started = performance.now();
    return new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
      const sent = request(`${this.url}${path}`, { method, agent: this.agent, headers }, (response: IncomingMessage) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).toString("utf8"),
            retryAfter: response.headers["retry-after"],
            ms: performance.now() - started,
          }),
        );
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }
}

/** Calls `step` at a steady rate until `seconds` are over; late calls are made up for, at most a second's worth. */
export async function steadily(perSecond: number, seconds: number, step: (i: number) => Promise<unknown>): Promise<void> {
  const started = performance.now();
  const pending = new Set<Promise<unknown>>();
  let i = 0;
  while (performance.now() - started < seconds * 1000) {
    const due = Math.floor(((performance.now() - started) / 1000) * perSecond);
    if (due - i > perSecond) i = due - perSecond;
    for (; i < due && pending.size < 1000; i++) {
      const call = step(i).finally(() => pending.delete(call));
      pending.add(call);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await Promise.all(pending);
}

/** Keeps `connections` requests under way for `seconds`; returns each one's milliseconds. */
export async function saturate(
  connections: number,
  seconds: number,
  step: (i: number) => Promise<Answer>,
): Promise<{ ms: number[]; failed: Answer[]; perSecond: number }> {
  const ms: number[] = [];
  const failed: Answer[] = [];
  const started = performance.now();
  let i = 0;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (performance.now() - started < seconds * 1000) {
        const answer = await step(i++);
        if (answer.status === 200) ms.push(answer.ms);
        else failed.push(answer);
      }
    }),
  );
  return { ms, failed, perSecond: ms.length / ((performance.now() - started) / 1000) };
}
