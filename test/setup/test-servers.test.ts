import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const SCRIPT = join(import.meta.dirname, "..", "..", "setup", "test-servers.mjs");

/** Writes what Maven would; where a file `broken` is, it is interrupted half-way through the jars. */
const MAVEN = (directory: string): string => `#!/bin/sh
echo "$*" >> ${directory}/calls
for arg in "$@"; do case "$arg" in -DoutputDirectory=*) out=\${arg#-DoutputDirectory=};; esac; done
mkdir -p "$out"
case "$*" in
*copy-dependencies*)
  : > "$out/first.jar"
  if [ -e ${directory}/broken ]; then echo "connection reset"; exit 1; fi
  : > "$out/second.jar";;
*)
  : > "$out/apicurio-registry-app-2.6.13.Final-runner.jar"
  cd "$out" && tar czf apicurio-registry-app-2.6.13.Final-all.tar.gz *.jar && rm *.jar;;
esac
`;
const JAVA = (version: string): string => `#!/bin/sh\necho 'openjdk version "${version}" 2025-04-15' >&2\n`;

describe.skipIf(process.platform !== "linux")("the set-up of the test servers", () => {
  let directory = "";
  let bin = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kindred-test-servers-"));
    bin = join(directory, "bin");
    mkdirSync(bin);
    for (const name of ["sh", "mkdir", "rm", "tar", "gzip"]) {
      const found = ["/bin", "/usr/bin"].map((folder) => join(folder, name)).find(existsSync);
      if (found !== undefined) symlinkSync(found, join(bin, name));
    }
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const install = (name: string, text: string): void => writeFileSync(join(bin, name), text, { mode: 0o755 });
  const setUp = (env: Record<string, string> = {}): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [SCRIPT], { env: { PATH: bin, XDG_CACHE_HOME: directory, ...env }, encoding: "utf8" });
  const calls = (): string[] => {
    const file = join(directory, "calls");
    return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  };

  it("says how to install Java where there is none, or one that is too old, and asks Maven for nothing", () => {
    install("mvn", MAVEN(directory));
    for (const version of [undefined, "11.0.2"]) {
      if (version !== undefined) install("java", JAVA(version));
      const { status, stderr } = setUp();
      expect(status).toBe(1);
      expect(stderr).toMatch(/^set-up: Java 17 is missing.* apt-get install -y openjdk-17-jre-headless/);
    }
    expect(calls()).toEqual([]);
  });

  it("says how to install Maven where it is missing", () => {
    install("java", JAVA("17.0.15"));
    const { status, stderr } = setUp();
    expect(status).toBe(1);
    expect(stderr).toMatch(/Maven is missing.* apt-get install -y maven/);
  });

  it("fetches once, after that only looks, and never uses what was fetched by half", () => {
    install("java", JAVA("21.0.1"));
    install("mvn", MAVEN(directory));
    writeFileSync(join(directory, "broken"), "");
    const first = setUp();
    expect(first.status).toBe(1);
    expect(first.stderr).toMatch(/Apache Kafka could not be fetched from Maven Central.*\nconnection reset/);
    rmSync(join(directory, "broken"));
    const second = setUp();
    expect(second.status).toBe(0);
    const files = JSON.parse(second.stdout) as Record<"java" | "kafka" | "registry", string>;
    expect(readdirSync(files.kafka).sort()).toEqual(["first.jar", "second.jar"]);
    expect(existsSync(files.registry)).toBe(true);
    expect(calls()).toHaveLength(3);
    expect(setUp()).toMatchObject({ status: 0, stdout: second.stdout, stderr: "" });
    expect(calls()).toHaveLength(3);
    // Locks and halves are gone.
    expect(readdirSync(join(directory, "kindred")).filter((name) => /lock|unfinished/.test(name))).toEqual([]);
  });

  it("fetches nothing that is running already, and needs no Java then", () => {
    const running = { KAFKA_BROKERS: "127.0.0.1:9092", SCHEMA_REGISTRY_URL: "http://127.0.0.1:8081" };
    expect(JSON.parse(setUp(running).stdout)).toEqual({ java: null, kafka: null, registry: null });
    install("java", JAVA("17.0.15"));
    install("mvn", MAVEN(directory));
    const { SCHEMA_REGISTRY_URL: _, ...onlyKafka } = running;
    expect(JSON.parse(setUp(onlyKafka).stdout)).toMatchObject({
      java: "java",
      kafka: null,
      registry: expect.stringMatching(/runner\.jar$/),
    });
    expect(calls()).toHaveLength(1);
  });
});
