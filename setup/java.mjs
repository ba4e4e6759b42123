// Which Java runs the test servers: Kafka 4 and the registry need 17 or later. The product itself needs no Java.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const LEAST = 17;

/** Homebrew's is not on the path, and macOS has a `java` that only asks for one to be installed. */
function candidates(env) {
  const kegs = [env.HOMEBREW_PREFIX || "/opt/homebrew", "/usr/local"].map((prefix) => join(prefix, "opt", "openjdk@17", "bin", "java"));
  return [...(env.JAVA_HOME ? [join(env.JAVA_HOME, "bin", "java")] : []), "java", ...(process.platform === "darwin" ? kegs : [])];
}

function versionOf(java) {
  const { status, stderr } = spawnSync(java, ["-version"], { encoding: "utf8" });
  return status === 0 ? Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0) : 0;
}

/** The first that is new enough, as a path or a name on the path; undefined where there is none. */
export const findJava = (env = process.env) => candidates(env).find((java) => versionOf(java) >= LEAST);
