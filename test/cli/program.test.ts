import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { errorLine, exitCodeOf } from "../../cli/command-frame.js";
import { packageVersion } from "../../cli/package-root.js";
import { KindredError } from "../../schemas/errors.js";
import { runCommand } from "../harness/run-command.js";

describe("kindred, called", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kindred-program-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const call = runCommand;

  it.each([
    "serve",
    "demo",
    "replay",
    "items import",
    "dead-letters list",
    "dead-letters replay",
    "schemas register",
    "schemas list",
    "state hash",
    "state get",
    "state verify",
  ])("%s has --help that names its flags", async (command) => {
    const { code, out } = await call([...command.split(" "), "--help"]);
    expect(code).toBe(0);
    expect(out).toContain("--data-dir");
    expect(out).toContain("--config");
    expect(out.includes("--json")).toBe(!["serve", "demo"].includes(command));
  });

  it.each([
    [["serve", "--no-such-flag"], /unknown option '--no-such-flag'/],
    [["sevre"], /unknown command 'sevre'[\s\S]*serve/],
    [[], /Usage: kindred/],
    [["state"], /Usage: kindred state/],
    [["state", "get"], /missing required argument 'user'/],
    [["replay"], /--from FILE is needed/],
    [["replay", "--from", "x.unknown"], /the name does not say the format/],
    [["replay", "--from", "journal"], /--into shadow/],
    [["replay", "--from", "x.csv", "--since", "yesterday"], /is not a time/],
    [["replay", "--from", "x.csv", "--ts-unit", "minutes"], /auto, s, ms/],
    [["replay", "--from", "x.csv", "--batch", "0"], /integer from 1/],
    [["items", "import"], /--from/],
    [["serve", "--port", "http"], /server\.port: "http" is not an integer from 0 to 65535 \(flag --port\)/],
    [["serve", "--role", "recall"], /needs source\.kind kafka/],
    [["serve", "--role", "chief"], /all, updater, recall/],
    [["train"], /Usage: kindred train/],
    [["demo", "--listeners", "1"], /integer from 2/],
  ])("%j is wrong usage: 2, and says what is wrong", async (args, message) => {
    const { code, out, err } = await call(args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
    if (args.length > 1) expect(err).toMatch(/^error USAGE: /);
    expect(out).toBe("");
  });

  it("fails with 1 for a wrong configuration, all of whose mistakes are named", async () => {
    const file = join(directory, "kindred.yaml");
    writeFileSync(file, "server:\n  prot: 1\nindex:\n  ef: 0\n");
    const { code, err } = await call(["serve", "--config", file], { KINDRED_LOGING__LEVEL: "info" });
    expect(code).toBe(1);
    expect(err).toMatch(/^error CONFIG_INVALID: 3 mistakes/);
    expect(err).toContain("did you mean server.port?");
    expect(err).toContain("index.ef: 0 is not an integer from 1 to 10000");
    expect(err).toContain("did you mean KINDRED_LOGGING__LEVEL?");
  });

  it("fails with 1 for a file that is not there, and 2 for a data directory that is not", async () => {
    const missing = join(directory, "none.csv");
    expect(await call(["replay", "--from", missing, "--data-dir", directory])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error FILE_FORMAT: /),
    });
    for (const command of [
      ["state", "hash"],
      ["state", "verify"],
      ["state", "get", "u"],
      ["dead-letters", "list"],
    ])
      expect(await call([...command, "--data-dir", join(directory, "none")])).toMatchObject({
        code: 2,
        err: expect.stringContaining("no such data directory"),
      });
  });

  it("tells its version", async () => {
    expect(await call(["--version"])).toMatchObject({ code: 0, out: `${packageVersion()}\n` });
    expect(packageVersion()).toMatch(/^\d+\.\d+\.\d+$/);
  });
});

describe("errors of a command", () => {
  it("print their code, and the stack only where nobody foresaw them", () => {
    expect(errorLine(new KindredError("DIRECTORY_IN_USE", "it is in use", "./data"))).toBe(
      "error DIRECTORY_IN_USE: it is in use (./data)\n",
    );
    expect(errorLine(Object.assign(new Error("not built"), { code: "ADDON_MISSING" }))).toBe("error ADDON_MISSING: not built\n");
    expect(errorLine(Object.assign(new Error("no such file"), { code: "constructor" }))).toMatch(/^error INTERNAL: Error: no such file\n/);
    expect(errorLine(new TypeError("oops"))).toMatch(/^error INTERNAL: TypeError: oops\n\s+at /);
    expect(exitCodeOf(new KindredError("USAGE", "no"))).toBe(2);
    expect(exitCodeOf(new KindredError("DIRECTORY_IN_USE", "no"))).toBe(1);
    expect(exitCodeOf(new TypeError("oops"))).toBe(1);
  });
});
