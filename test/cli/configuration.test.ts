import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { environmentName, loadConfiguration } from "../../cli/configuration.js";
import { configKeys, defaultConfig, schemaRoot } from "../../schemas/config-validation.js";
import { kindredYaml } from "./kindred-yaml.js";

describe("loadConfiguration", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kindred-config-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const file = (text: string): string => {
    const path = join(directory, "kindred.yaml");
    writeFileSync(path, text);
    return path;
  };
  const refusal = (load: () => unknown): string => {
    try {
      load();
    } catch (error) {
      expect(error).toMatchObject({ code: "CONFIG_INVALID" });
      return (error as Error).message;
    }
    throw new Error("was accepted");
  };

  it("lets flags win over the environment, that over the file, that over the defaults", () => {
    const path = file("server:\n  port: 1\n  host: localhost\nindex:\n  ef: 200\n");
    const config = loadConfiguration({
      file: path,
      env: { KINDRED_SERVER__PORT: "2", KINDRED_INDEX__EF_CONSTRUCTION: "90", HOME: "/" },
      flags: { "server.port": { flag: "--port", value: "3" }, dataDir: { flag: "--data-dir", value: undefined } },
    });
    expect(config.server).toMatchObject({ port: 3, host: "localhost", maxEventsPerRequest: 5000 });
    expect(config.index).toMatchObject({ ef: 200, efConstruction: 90, m: defaultConfig().index.m });
    expect(config.dataDir).toBe("./data");
  });

  it("takes the path of the file from KINDRED_CONFIG, and tables from the environment as YAML", () => {
    const path = file("dataDir: ./elsewhere\n");
    const config = loadConfiguration({ env: { KINDRED_CONFIG: path, KINDRED_FOLD__ACTIONS: "{ purchase: 8, gift: null }" } });
    expect(config.dataDir).toBe("./elsewhere");
    expect(config.fold.actions).toMatchObject({ purchase: 8, play: 1 });
    expect(config.fold.actions).not.toHaveProperty("gift");
  });

  it("names every mistake at once, with its value, what is allowed and where it stands", () => {
    const path = file("server:\n  port: 99999\n  hots: a\nindx: {}\nlogging:\n  level: loud\n");
    const message = refusal(() =>
      loadConfiguration({
        file: path,
        env: { KINDRED_INDEX__EF: "many", KINDRED_SERVER__PROT: "1" },
        flags: { "index.m": { flag: "--m", value: "3.5" } },
      }),
    );
    expect(message.split("\n").slice(1)).toEqual([
      "  KINDRED_SERVER__PROT: there is no such key; did you mean KINDRED_SERVER__PORT? (environment)",
      `  server.port: 99999 is not an integer from 0 to 65535 (${path} line 2 column 3)`,
      `  server.hots: there is no such key; did you mean server.host? (${path} line 3 column 3)`,
      `  indx: there is no such key; did you mean index? (${path} line 4 column 1)`,
      `  logging.level: "loud" is not one of trace, debug, info, warn, error, silent (${path} line 6 column 3)`,
      '  index.ef: "many" is not an integer from 1 to 10000 (environment KINDRED_INDEX__EF)',
      "  index.m: 3.5 is not an integer from 4 to 64 (flag --m)",
    ]);
  });

  it("gives line and column of what is not YAML", () => {
    expect(refusal(() => loadConfiguration({ file: file("server:\n  port: [1\n"), env: {} }))).toMatch(/kindred\.yaml line \d+ column \d+/);
    expect(refusal(() => loadConfiguration({ file: file("a: 1\na: 2\n"), env: {} }))).toMatch(/line 2 column 1/);
  });

  it("refuses a file that is not there, and one that is no table", () => {
    expect(refusal(() => loadConfiguration({ file: join(directory, "none.yaml"), env: {} }))).toMatch(/cannot be read/);
    expect(refusal(() => loadConfiguration({ file: file("- 1\n"), env: {} }))).toMatch(/is not a section with server, dataDir/);
  });

  it("writes an environment name for every key, and reads it back", () => {
    expect(environmentName(["kafka", "topics", "deadLetters"])).toBe("KINDRED_KAFKA__TOPICS__DEAD_LETTERS");
    expect(environmentName(["generation0", "dims"])).toBe("KINDRED_GENERATION0__DIMS");
    expect(environmentName(["dataDir"])).toBe("KINDRED_DATA_DIR");
    const env = Object.fromEntries(
      configKeys()
        .filter(({ node }) => node.default !== undefined)
        .map(({ path, node }) => [environmentName(path), typeof node.default === "string" ? node.default : JSON.stringify(node.default)]),
    );
    expect(loadConfiguration({ file: file(""), env })).toEqual(defaultConfig());
  });
});

describe("kindred.yaml", () => {
  const path = join(import.meta.dirname, "..", "..", "kindred.yaml");

  it("lists every key of the schema, with its default and what is allowed", async () => {
    await expect(kindredYaml(schemaRoot)).toMatchFileSnapshot(path);
  });

  it("changes nothing as it is, and nothing when every line is switched on", () => {
    const source = readFileSync(path, "utf8");
    expect(loadConfiguration({ file: path, env: {} })).toEqual(defaultConfig());
    const on = source.replace(/^( *)#(?=\w)/gm, "$1");
    const keys = (value: unknown, at: string[] = []): string[] =>
      configKeys().some((key) => key.path.join(".") === at.join("."))
        ? [at.join(".")]
        : Object.entries((value ?? {}) as object).flatMap(([key, below]) => keys(below, [...at, key]));
    expect(keys(parse(on))).toEqual(configKeys().map((key) => key.path.join(".")));
  });
});
