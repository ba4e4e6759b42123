import { spawn } from "node:child_process";
import { once } from "node:events";

export interface ProducerOptions {
  readonly brokers: string;
  readonly topic: string;
  readonly users: number;
  /** Events in all; none: until it is stopped. */
  readonly count?: number;
  /** Events a second; none: as fast as it can. */
  readonly rate?: number;
  readonly seed?: number;
  /** Values in Confluent's wire format by this registry, and where schemas are kept; else plain JSON. */
  readonly registry?: { readonly url: string; readonly cacheDirectory: string };
  /** Each user in turn, so that nobody is left out; else anybody. */
  readonly inTurn?: boolean;
}

export interface RunningProducer {
  /** Resolves, with how many events were acknowledged, when it has ended. */
  readonly done: Promise<number>;
  /** Ends it, and resolves with how many events it has produced. */
  stop(): Promise<number>;
}

/** kafkajs producing behaviour events in a process of its own, so that it takes none of the bench's time. */
export function startProducer(options: ProducerOptions): RunningProducer {
  const program = new URL("./event-producer-program.js", import.meta.url).pathname;
  const child = spawn(process.execPath, [program, JSON.stringify(options)], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const done = once(child, "close").then(([code]) => {
    if (code !== 0) throw new Error(`the producer ended with ${code}`);
    return Number(text);
  });
  done.catch(() => undefined);
  return {
    done,
    stop: () => {
      child.kill("SIGTERM");
      return done;
    },
  };
}
