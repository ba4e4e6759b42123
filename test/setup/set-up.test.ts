import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..", "..");

/** Runs a piece of JavaScript that imports the set-up's own files, which have no types. */
function run(
  directory: string,
  script: string,
  env: Record<string, string> = {},
): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: directory, env: { ...process.env, ...env } });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk;
    });
    child.stderr.on("data", (chunk: Buffer) => {
      err += chunk;
    });
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

/** As where nobody named a running Kafka or another Java. */
const NOTHING_RUNS = { KAFKA_BROKERS: "", SCHEMA_REGISTRY_URL: "", JAVA_HOME: "" };

describe("the set-up", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kindred-set-up-"));
    cpSync(join(root, "setup"), join(directory, "setup"), { recursive: true });
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it("uses nothing but Node itself", () => {
    for (const name of readdirSync(join(root, "setup")).filter((file) => file.endsWith(".mjs")))
      for (const [, module] of readFileSync(join(root, "setup", name), "utf8").matchAll(/from "([^"]+)"/g))
        expect(module, name).toMatch(/^(node:|\.\/)/);
  });

  it("compiles faiss-node only for a configuration that asks for it", async () => {
    const script = `import { asksForFaissNode } from "./setup/faiss-node.mjs"; console.log(asksForFaissNode(${JSON.stringify(directory)}));`;
    const asks = async (env: Record<string, string> = {}): Promise<string> => (await run(directory, script, env)).out.trim();
    expect(await asks()).toBe("false");
    expect(await asks({ KINDRED_INDEX__ENGINE: "faiss-node" })).toBe("true");
    const file = join(directory, "kindred.yaml");
    writeFileSync(file, readFileSync(join(root, "kindred.yaml")));
    expect(await asks()).toBe("false");
    writeFileSync(file, "index:\n  engine: faiss-node # for a while\n");
    expect(await asks()).toBe("true");
    expect(await asks({ KINDRED_INDEX__ENGINE: "embedded" })).toBe("false");
  });

  it("takes what is installed for what the lock file says only where versions and checksums agree", async () => {
    const lock = (version: string, integrity: string) =>
      JSON.stringify({
        packages: {
          "": { name: "x" },
          "node_modules/a": { version, integrity },
          "node_modules/only-on-mars": { version: "1.0.0", optional: true },
        },
      });
    mkdirSync(join(directory, "node_modules"));
    writeFileSync(join(directory, "package-lock.json"), lock("1.2.3", "sha512-x"));
    const script = `import { matchesLock } from "./setup/npm-packages.mjs"; console.log(matchesLock(${JSON.stringify(directory)}));`;
    expect((await run(directory, script)).out).toBe("false\n");
    for (const [version, integrity, same] of [
      ["1.2.3", "sha512-x", "true"],
      ["1.2.4", "sha512-x", "false"],
      ["1.2.3", "sha512-y", "false"],
    ] as const) {
      const installed = JSON.parse(lock(version, integrity)) as { packages: Record<string, unknown> };
      delete installed.packages["node_modules/only-on-mars"];
      writeFileSync(join(directory, "node_modules", ".package-lock.json"), JSON.stringify(installed));
      expect((await run(directory, script)).out).toBe(`${same}\n`);
    }
  });

  it("lets one run at a time, takes over from one that died, and cleans up after itself", async () => {
    const lock = join(directory, "build", ".setup-lock");
    const script = `
      import { withLock } from "./setup/lock.mjs";
      import { appendFileSync } from "node:fs";
      await withLock(${JSON.stringify(lock)}, async () => {
        appendFileSync("log", "in ");
        await new Promise((resolve) => setTimeout(resolve, 100));
        appendFileSync("log", "out ");
      });`;
    mkdirSync(lock, { recursive: true });
    // No process has this number on any system.
    writeFileSync(join(lock, "pid"), "99999999");
    // All of them find it dead at once.
    const codes = await Promise.all([1, 2, 3, 4, 5, 6].map(() => run(directory, script)));
    expect(codes.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(readFileSync(join(directory, "log"), "utf8")).toBe("in out ".repeat(6));
    expect(existsSync(lock)).toBe(false);
  });

  it("hashes what files hold, not when they were written", async () => {
    mkdirSync(join(directory, "a"));
    writeFileSync(join(directory, "a", "x.ts"), "1");
    const script = `import { filesUnder, hashFiles } from "./setup/content-hash.mjs"; console.log(hashFiles(".", filesUnder("a"), "salt"));`;
    const first = (await run(directory, script)).out;
    writeFileSync(join(directory, "a", "x.ts"), "1");
    expect((await run(directory, script)).out).toBe(first);
    writeFileSync(join(directory, "a", "x.ts"), "2");
    const changed = (await run(directory, script)).out;
    expect(changed).not.toBe(first);
    mkdirSync(join(directory, "a", "node_modules"));
    writeFileSync(join(directory, "a", "node_modules", "y.ts"), "2");
    expect((await run(directory, script)).out).toBe(changed);
  });

  it("compiles what changed, puts static files beside it, and leaves no output of a source that is gone", async () => {
    symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
    for (const name of ["tsconfig.json", "tsconfig.build.json", "package-lock.json", "package.json"])
      cpSync(join(root, name), join(directory, name));
    const write = (name: string, text: string): void => {
      mkdirSync(join(directory, name, ".."), { recursive: true });
      writeFileSync(join(directory, name), text);
    };
    write("cli/main.cts", 'import("./run.js").catch(() => undefined);\n');
    write("cli/run.ts", 'import { a } from "../schemas/a.js";\nconsole.log(a);\n');
    write("schemas/a.ts", "export const a: number = 1;\n");
    write("schemas/old.ts", "export const old = 1;\n");
    write("schemas/event.avsc", "{}");
    const script = `
      import { setUpTypeScript } from "./setup/typescript.mjs";
      try { console.log(await setUpTypeScript(${JSON.stringify(directory)})); } catch (error) { console.log(error.message); }`;
    const output = (): string[] =>
      (readdirSync(join(directory, "dist"), { recursive: true }) as string[]).filter((name) => /\.(c?js|avsc)$/.test(name)).sort();
    expect((await run(directory, script)).out).toBe("true\n");
    expect(output()).toEqual(["cli/main.cjs", "cli/run.js", "schemas/a.js", "schemas/event.avsc", "schemas/old.js"]);
    expect((await run(directory, script)).out).toBe("false\n");
    rmSync(join(directory, "schemas", "old.ts"));
    write("schemas/a.ts", "export const a: number = 2;\n");
    expect((await run(directory, script)).out).toBe("true\n");
    expect(output()).toEqual(["cli/main.cjs", "cli/run.js", "schemas/a.js", "schemas/event.avsc"]);
    expect((await run(directory, "await import('./dist/cli/run.js')")).out).toBe("2\n");
    write("schemas/a.ts", 'export const a: number = "2";\n');
    expect((await run(directory, script)).out).toMatch(/^the TypeScript does not compile; run: npx tsc[^\n]+\nschemas\/a\.ts\(1,14\)/);
  });

  it.skipIf(process.platform !== "linux")("says the one line to run where packages are missing and may not be installed", async () => {
    // A system where nothing is found but a shell and an apt-get, for someone who is not root.
    const bin = join(directory, "bin");
    mkdirSync(bin);
    symlinkSync("/bin/sh", join(bin, "sh"));
    writeFileSync(join(bin, "apt-get"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    const script = `
      process.getuid = () => 1000;
      const { setUpSystemPackages } = await import("./setup/system-packages.mjs");
      for (const forTests of [false, true]) {
        await setUpSystemPackages(() => undefined, forTests).catch((error) => console.log(error.message));
      }`;
    const [plain, tests] = (await run(directory, script, { PATH: bin, ...NOTHING_RUNS })).out.split("\n");
    expect(plain).toMatch(/^system packages are missing; run: sudo apt-get install -y g\+\+ make/);
    expect(plain).not.toContain("python");
    expect(tests).toMatch(
      /^system packages are missing; run: sudo apt-get install -y g\+\+ make.* python3-venv .*openjdk-17-jre-headless maven kcat chromium$/,
    );
  });

  it.skipIf(process.platform !== "linux")("installs them where it may, after fetching the package lists once", async () => {
    const bin = join(directory, "bin");
    mkdirSync(bin);
    symlinkSync("/bin/sh", join(bin, "sh"));
    // Fails until `update` was run, then makes the programs appear.
    const apt = `#!/bin/sh
echo "$@" >> ${directory}/calls
if [ "$1" = update ]; then : > ${directory}/updated; exit 0; fi
[ -e ${directory}/updated ] || exit 100
for program in g++ make; do echo '#!/bin/sh' > ${bin}/$program; done
/bin/chmod +x ${bin}/g++ ${bin}/make
`;
    writeFileSync(join(bin, "apt-get"), apt, { mode: 0o755 });
    const script = `
      process.getuid = () => 0;
      const { setUpSystemPackages } = await import("./setup/system-packages.mjs");
      console.log(await setUpSystemPackages(() => undefined));`;
    const { out, err } = await run(directory, script, { PATH: bin });
    expect(err).toBe("");
    expect(out).toBe("true\n");
    const calls = readFileSync(join(directory, "calls"), "utf8").trim().split("\n");
    expect(calls.map((line) => line.split(" ")[0])).toEqual(["install", "update", "install"]);
    expect(calls[0]).toContain("--no-install-recommends g++ make");
  });
});
