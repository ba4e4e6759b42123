import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { projectRoot } from "./kindred-process.js";

/** As setup/test-servers.mjs prints it. */
interface ServerFiles {
  readonly java: string | null;
  /** The folder of the brokers' jars. */
  readonly kafka: string | null;
  /** The registry's jar. */
  readonly registry: string | null;
}

let known: ServerFiles | undefined;

function serverFiles(): ServerFiles {
  if (known !== undefined) return known;
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(projectRoot, "setup", "test-servers.mjs")], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr.trim());
  known = JSON.parse(stdout) as ServerFiles;
  return known;
}

/** Java and what it is to run, fetched the first time. @throws where only a running server was named, or Java is missing */
export function filesOf(server: "kafka" | "registry"): { java: string; path: string } {
  const { java, [server]: path } = serverFiles();
  if (java === null || path === null)
    throw new Error(`${server} cannot be started here: ${java === null ? "Java 17 is missing" : "a running one was named"}`);
  return { java, path };
}

/**
 * Whether servers can be started that a test has for itself, to kill or to secure. False only where running ones were named and nothing
 * was fetched; where Java is missing it is true, so that the test fails and says so.
 */
export function canStart(server: "kafka" | "registry"): boolean {
  const named = process.env[server === "kafka" ? "KAFKA_BROKERS" : "SCHEMA_REGISTRY_URL"];
  if (named === undefined || named === "") return true;
  const { java, [server]: path } = serverFiles();
  return java !== null && path !== null;
}
