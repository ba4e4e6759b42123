import { filesOf } from "./server-files.js";
import { freePorts, ServerProcess } from "./server-process.js";

/** Apicurio, which speaks Confluent's REST API. Its memory is all it has: a restarted one knows no schema. */
export interface TestRegistry {
  /** With the path, as clients want it. */
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
  restart(): Promise<void>;
  /** Lets it hang: requests are accepted and not answered. */
  pause(): void;
  resume(): void;
}

/** Enough for thousands of schemas. */
const HEAP = "-Xmx384m";
const PATIENCE_MS = 2_000;

/** Up, and compatible as Confluent's is by default (Apicurio's default is NONE). */
async function setBackward(url: string): Promise<void> {
  const answer = await fetch(`${url}/config`, {
    method: "PUT",
    headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
    body: JSON.stringify({ compatibility: "BACKWARD" }),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
}

/** A schema registry of its own, on a free port of the loopback interface. */
export async function startRegistry(): Promise<TestRegistry> {
  const { java, path } = filesOf("registry");
  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  const where = ["-Dquarkus.http.host=127.0.0.1", `-Dquarkus.http.port=${port}`];
  const server = await ServerProcess.start("registry", async () => ({
    name: "the schema registry",
    program: java,
    args: [HEAP, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", ...where, "-jar", path],
    ready: () => setBackward(url),
  }));
  return {
    url,
    get pid() {
      return server.pid;
    },
    stop: () => server.stop(),
    restart: () => server.restart(),
    pause: () => server.pause(),
    resume: () => server.resume(),
  };
}
