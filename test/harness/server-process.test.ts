import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { sleep } from "./kindred-process.js";
import { freePorts, type ServerCommand, ServerProcess } from "./server-process.js";

/** Listens, counts its starts in a file, and says so. */
const SERVER = `
  const { appendFileSync } = require("node:fs");
  appendFileSync("starts", "x");
  console.log("listening");
  require("node:net").createServer((socket) => socket.end("hello")).listen(Number(process.argv[1]), "127.0.0.1");`;

const reach = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve();
    });
    socket.once("error", reject);
  });

const command = (port: number, script = SERVER): ServerCommand => ({
  name: "a server",
  program: process.execPath,
  args: ["-e", script, String(port)],
  ready: () => reach(port),
});

async function isGone(pid: number): Promise<boolean> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await sleep(20)) {
    // Of a container without an init, whoever was orphaned stays a zombie.
    if (!existsSync(`/proc/${pid}`) || /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"))) return true;
  }
  return false;
}

describe("a server of the tests", () => {
  it("is ready when it answers, keeps its port and its directory over a kill, and is gone when stopped", async () => {
    const [port = 0] = await freePorts(1);
    const server = await ServerProcess.start("of-a-test", async () => command(port));
    await reach(port);
    await server.kill();
    await expect(reach(port)).rejects.toThrow(/ECONNREFUSED/);
    expect(() => server.pid).toThrow("a server is not running");
    await server.restart();
    await server.restart();
    expect(readFileSync(join(server.directory, "starts"), "utf8")).toBe("xxx");
    expect(server.logText).toBe("listening\n".repeat(3));
    server.pause();
    await server.stop();
    await expect(reach(port)).rejects.toThrow(/ECONNREFUSED/);
    expect(existsSync(server.directory)).toBe(false);
  });

  it("that ends at once, or isn't installed, is told with what it said; nothing of it stays", async () => {
    let directory = "";
    const start = (broken: Partial<ServerCommand>): Promise<unknown> =>
      ServerProcess.start("of-a-test", async (path) => {
        directory = path;
        return { ...command(1, 'console.error("no such disk"); process.exit(3);'), ...broken };
      });
    await expect(start({})).rejects.toThrow("a server does not come up: it ended with 3\nno such disk");
    expect(existsSync(directory)).toBe(false);
    await expect(start({ program: "no-such-program" })).rejects.toThrow(/^a server does not come up: spawn no-such-program ENOENT/);
    expect(existsSync(directory)).toBe(false);
  });

  it("finds free ports that differ", async () => {
    const ports = await freePorts(20);
    expect(new Set(ports).size).toBe(20);
    await expect(Promise.all(ports.map(reach))).rejects.toThrow(/ECONNREFUSED/);
  });

  it.skipIf(process.platform !== "linux")("ends with the test process, and its directory too, even where that one is killed", async () => {
    const work = mkdtempSync(join(tmpdir(), "kindred-keeper-test-"));
    const kept = mkdtempSync(join(tmpdir(), "kindred-kept-"));
    let server: ChildProcess | undefined;
    try {
      const source = readFileSync(join(import.meta.dirname, "server-keeper.ts"), "utf8");
      const compiled = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 } });
      writeFileSync(join(work, "server-keeper.mjs"), compiled.outputText);
      server = spawn("sleep", ["600"], { stdio: "ignore" });
      await once(server, "spawn");
      const tests = spawn(process.execPath, [
        "--input-type=module",
        "-e",
        `import { ServerKeeper } from ${JSON.stringify(join(work, "server-keeper.mjs"))};
         const keeper = new ServerKeeper(${JSON.stringify(kept)});
         keeper.runs(1234567890);
         keeper.runs(${server.pid});
         setTimeout(() => console.log("kept"), 200);
         setInterval(() => undefined, 1000);`,
      ]);
      await once(tests.stdout, "data");
      expect(existsSync(kept)).toBe(true);
      // Stopped, it would not heed a gentler signal.
      server.kill("SIGSTOP");
      tests.kill("SIGKILL");
      expect(await isGone(server.pid ?? 0)).toBe(true);
      for (const deadline = Date.now() + 10_000; existsSync(kept) && Date.now() < deadline; ) await sleep(20);
      expect(existsSync(kept)).toBe(false);
    } finally {
      server?.kill("SIGKILL");
      rmSync(work, { recursive: true, force: true });
      rmSync(kept, { recursive: true, force: true });
    }
  });
});
