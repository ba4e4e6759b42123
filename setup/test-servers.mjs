// A Kafka broker and a schema registry for the tests, from Maven Central: real servers, without containers.
//   node setup/test-servers.mjs    prints { java, kafka, registry } as JSON: the interpreter, the brokers' jars, the registry's jar
// Kept outside the checkout in a directory per version, made once. What is running already (KAFKA_BROKERS, SCHEMA_REGISTRY_URL) is not
// fetched; its entry is null unless it is there from before.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hasProgram, run } from "./command.mjs";
import { findJava } from "./java.mjs";
import { withLock } from "./lock.mjs";
import { SetUpError } from "./set-up-error.mjs";

/** kafka-streams, which benches compare with, stops at 4.3.1. */
const KAFKA = ["org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36"];
/** 3.x needs Java 21, and listens on all interfaces for its management. */
const REGISTRY = "io.apicurio:apicurio-registry-app:2.6.13.Final:tar.gz:all";
const REGISTRY_JAR = "apicurio-registry-app-2.6.13.Final-runner.jar";
const PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";

const cache = (env) => join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "kindred");
const keyOf = (artifacts) =>
  createHash("sha256")
    .update([PLUGIN, ...artifacts].join("\n"))
    .digest("hex")
    .slice(0, 16);

/** Checks every download against its checksum, and says nothing but errors. */
async function maven(what, args, cwd) {
  const done = await run("mvn", ["--batch-mode", "--quiet", "--no-transfer-progress", "--strict-checksums", ...args], { cwd });
  if (!done.ok)
    throw new SetUpError(
      `${what} could not be fetched from Maven Central (or name a running one in KAFKA_BROKERS / SCHEMA_REGISTRY_URL)\n` +
        done.output.trim().slice(-2000),
    );
}

/** Maven resolves what a project depends on, so there is one, for as long as it takes. */
function pom(artifacts) {
  const dependencies = artifacts.map((artifact) => {
    const [group, name, version] = artifact.split(":");
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>kindred</groupId><artifactId>test-broker</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependencies.join("")}</dependencies></project>\n`;
}

async function fetchKafka(directory) {
  writeFileSync(join(directory, "pom.xml"), pom(KAFKA));
  const libs = join(directory, "libs");
  await maven("Apache Kafka", [`${PLUGIN}:copy-dependencies`, "-DincludeScope=runtime", `-DoutputDirectory=${libs}`], directory);
}

async function fetchRegistry(directory) {
  await maven("the schema registry", [`${PLUGIN}:copy`, `-Dartifact=${REGISTRY}`, `-DoutputDirectory=${directory}`], directory);
  const [, name, version, type, classifier] = REGISTRY.split(":");
  const archive = `${name}-${version}-${classifier}.${type}`;
  const unpacked = await run("tar", ["xzf", archive], { cwd: directory });
  if (!unpacked.ok) throw new SetUpError(`the schema registry could not be unpacked\n${unpacked.output.trim()}`);
  rmSync(join(directory, archive));
}

/** `runningAt` is the variable that names a server which is running already. */
const SERVERS = [
  { name: "kafka", key: keyOf(KAFKA), file: "libs", runningAt: "KAFKA_BROKERS", say: "Apache Kafka (45 MB)", fetch: fetchKafka },
  {
    name: "registry",
    key: keyOf([REGISTRY]),
    file: REGISTRY_JAR,
    runningAt: "SCHEMA_REGISTRY_URL",
    say: "the schema registry (142 MB)",
    fetch: fetchRegistry,
  },
];

/** Which of them have to be started, and so need Java. */
export const isAnyToStart = (env = process.env) => SERVERS.some((server) => !env[server.runningAt]);

/** Made aside and renamed: a directory of the final name is whole, whenever this was interrupted. */
async function make(server, directory, say) {
  if (!hasProgram("mvn")) throw new SetUpError("Maven is missing, which fetches the test servers; on Debian: apt-get install -y maven");
  say(`fetching ${server.say}`);
  const aside = `${directory}.unfinished`;
  rmSync(aside, { recursive: true, force: true });
  mkdirSync(aside, { recursive: true });
  await server.fetch(aside);
  if (!existsSync(join(aside, server.file))) throw new SetUpError(`${server.say} was fetched, but has no ${server.file}`);
  renameSync(aside, directory);
}

/**
 * What is needed to start the servers, fetched where it is not there yet.
 * @returns {Promise<{ files: { java: string | null, kafka: string | null, registry: string | null }, changed: boolean }>}
 */
export async function setUpTestServers(say = () => undefined, env = process.env) {
  const java = findJava(env) ?? null;
  if (java === null && isAnyToStart(env))
    throw new SetUpError(
      "Java 17 is missing, which runs the test servers; on Debian: apt-get install -y openjdk-17-jre-headless " +
        "(or name running ones in KAFKA_BROKERS and SCHEMA_REGISTRY_URL)",
    );
  const files = { java };
  let changed = false;
  for (const server of SERVERS) {
    const directory = join(cache(env), `${server.name}-${server.key}`);
    const isWanted = !env[server.runningAt];
    if (isWanted && !existsSync(directory))
      await withLock(join(cache(env), `.${server.name}-${server.key}-lock`), async () => {
        if (existsSync(directory)) return;
        await make(server, directory, say);
        changed = true;
      });
    files[server.name] = existsSync(directory) ? join(directory, server.file) : null;
  }
  return { files, changed };
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    const { files } = await setUpTestServers((text) => process.stderr.write(`set-up: ${text} ...\n`));
    process.stdout.write(`${JSON.stringify(files)}\n`);
  } catch (error) {
    if (!(error instanceof SetUpError)) throw error;
    process.stderr.write(`set-up: ${error.message}\n`);
    process.exit(1);
  }
}
