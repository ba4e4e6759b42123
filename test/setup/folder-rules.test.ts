import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..", "..");

/** The table of docs/ARCHITECTURE.md, written a second time on purpose: biome.json must say the same. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  schemas: [],
  state: ["schemas"],
  index: ["schemas", "native"],
  streams: ["schemas", "state"],
  models: ["schemas", "native"],
  api: ["schemas"],
  native: ["schemas"],
  town: ["schemas"],
  cli: ["schemas", "state", "index", "streams", "models", "api", "native", "town"],
};
const FOLDERS = Object.keys(MAY_IMPORT);
/** What is beside the product, and no part of it. */
const BESIDE: Record<string, readonly string[]> = {
  bench: [...FOLDERS.filter((folder) => folder !== "cli"), "setup", "test"],
  setup: [],
  test: [...FOLDERS, "bench", "setup"],
};

interface Case {
  readonly file: string;
  readonly source: string;
  readonly rule?: string;
}

const RESTRICTED = "lint/style/noRestrictedImports";

function folderCases(): Case[] {
  const cases: Case[] = [];
  const table = Object.entries({ ...MAY_IMPORT, ...BESIDE });
  for (const [from, allowed] of table)
    for (const [to] of table.filter(([folder]) => folder !== from)) {
      const rule = allowed.includes(to) ? {} : { rule: RESTRICTED };
      cases.push({ file: `${from}/from-${to}.ts`, source: `import { a } from "../${to}/x.js";\nconsole.log(a);\n`, ...rule });
      cases.push({ file: `${from}/below/from-${to}.ts`, source: `export { a } from "../../${to}/y/x.js";\n`, ...rule });
    }
  return cases;
}

const packageCase = (file: string, name: string, allowed: boolean): Case => ({
  file,
  source: `import a from "${name}";\nconsole.log(a);\n`,
  ...(allowed ? {} : { rule: RESTRICTED }),
});

/** Between two folders of one: in streams/ the journal is imported by what fills and reads it, in index/ the engines by their shards. */
const within = (folder: string, from: string, to: string, allowed: boolean): Case => ({
  file: `${folder}/${from}/of-${to}.ts`,
  source: `export { a } from "../${to}/x.js";\n`,
  ...(allowed ? {} : { rule: RESTRICTED }),
});

const CASES: readonly Case[] = [
  ...folderCases(),
  within("streams", "journal", "files", false),
  within("streams", "journal", "operators", false),
  within("streams", "files", "journal", true),
  within("index", "vector-engine", "shards", false),
  within("index", "vector-engine", "read-model", false),
  within("index", "read-model", "shards", false),
  within("index", "read-model", "vector-engine", false),
  within("index", "shards", "vector-engine", true),
  { file: "index/vector-engine/of-index.ts", source: 'export { a } from "../native-errors.js";\n' },
  ...["streams/journal", "index/vector-engine", "index/read-model"].map((folder) => ({
    file: `${folder}/of-cli.ts`,
    source: 'export { a } from "../../cli/x.js";\n',
    rule: RESTRICTED,
  })),
  ...FOLDERS.map((folder) => packageCase(`${folder}/rocks.ts`, "rocksdb", false)),
  packageCase("state/rocks-store.ts", "rocksdb", true),
  ...FOLDERS.map((folder) => packageCase(`${folder}/registry.ts`, "@confluentinc/schemaregistry", false)),
  ...FOLDERS.map((folder) => ({
    file: `${folder}/lazy-registry.ts`,
    source: 'export const a = (): Promise<unknown> => import("@confluentinc/schemaregistry/dist/schemaregistry-client.js");\n',
    rule: RESTRICTED,
  })),
  packageCase("streams/journal/registry.ts", "@confluentinc/schemaregistry", false),
  packageCase("streams/registry/registry-client.ts", "@confluentinc/schemaregistry", true),
  packageCase("setup/of-package.ts", "yaml", false),
  packageCase("setup/of-scoped-package.ts", "@types/node", false),
  packageCase("setup/of-node.ts", "node:fs", true),
  packageCase("setup/of-node-promises.ts", "node:fs/promises", true),
  packageCase("setup/of-setup.ts", "./other.mjs", true),
  ...FOLDERS.map((folder) => packageCase(`${folder}/loader.ts`, "node:module", false)),
  packageCase("native/addon.ts", "node:module", true),
  ...FOLDERS.map((folder) => packageCase(`${folder}/rx.ts`, "rxjs", folder === "streams")),
  ...FOLDERS.map((folder) => packageCase(`${folder}/http.ts`, "fastify", folder === "api")),
  ...FOLDERS.map((folder) => packageCase(`${folder}/kafka.ts`, "kafkajs", false)),
  packageCase("streams/kafka/a.ts", "kafkajs", true),
  packageCase("streams/registry/a.ts", "kafkajs", false),
  packageCase("streams/kafka/b.ts", "@confluentinc/schemaregistry", false),
  ...FOLDERS.map((folder) => ({
    file: `${folder}/env.ts`,
    source: "console.log(process.env.HOME);\n",
    ...(folder === "cli" ? {} : { rule: "lint/style/noProcessEnv" }),
  })),
  ...FOLDERS.map((folder) => ({
    file: `${folder}/any.ts`,
    source: "export const a = (b: any): unknown => b;\n",
    rule: "lint/suspicious/noExplicitAny",
  })),
  {
    file: "state/one.ts",
    source: 'import { b } from "./two.js";\nexport const a = (): unknown => b;\n',
    rule: "lint/suspicious/noImportCycles",
  },
  {
    file: "state/two.ts",
    source: 'import { a } from "./one.js";\nexport const b = (): unknown => a;\n',
    rule: "lint/suspicious/noImportCycles",
  },
  {
    file: "state/three.ts",
    source: 'import type { B } from "./four.js";\nexport type A = B | 1;\n',
    rule: "lint/suspicious/noImportCycles",
  },
  {
    file: "state/four.ts",
    source: 'import type { A } from "./three.js";\nexport type B = { readonly a: A };\n',
    rule: "lint/suspicious/noImportCycles",
  },
];

describe("the rule of who may import whom", () => {
  const found = new Map<string, string[]>();
  let directory = "";

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "kindred-rules-"));
    for (const name of ["biome.json", ".gitignore"]) cpSync(join(root, name), join(directory, name));
    for (const { file, source } of CASES) {
      mkdirSync(dirname(join(directory, file)), { recursive: true });
      writeFileSync(join(directory, file), source);
    }
    const biome = join(root, "node_modules", "@biomejs", "biome", "bin", "biome");
    const lint = spawnSync(process.execPath, [biome, "lint", "--reporter=json", "--max-diagnostics=none", "."], {
      cwd: directory,
      encoding: "utf8",
      maxBuffer: 64 << 20,
    });
    const report = JSON.parse(lint.stdout) as { diagnostics: { category: string; location: { path: string | { file: string } } }[] };
    for (const { category, location } of report.diagnostics) {
      const path = typeof location.path === "string" ? location.path : location.path.file;
      found.set(path, [...(found.get(path) ?? []), category]);
    }
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it("refuses every import that is not in the table, and no other", () => {
    const wrong = CASES.filter(({ file, rule }) => {
      const rules = found.get(file) ?? [];
      return rule === undefined ? rules.some((name) => name === RESTRICTED || name === "lint/style/noProcessEnv") : !rules.includes(rule);
    });
    expect(wrong.map((c) => `${c.file}: ${c.rule ?? "allowed"}, found ${found.get(c.file)?.join(" ") ?? "nothing"}`)).toEqual([]);
  });

  it("knows every folder of the product", () => {
    const notProduct = new Set(["bench", "build", "coverage", "data", "deploy", "dist", "docs", "node_modules", "setup", "test"]);
    const present = readdirSync(root, { withFileTypes: true }).filter(
      (e) => e.isDirectory() && !e.name.startsWith(".") && !notProduct.has(e.name),
    );
    expect(present.map((e) => e.name).filter((name) => !FOLDERS.includes(name))).toEqual([]);
  });

  it("lets native/ take types only from schemas/, and the errors", () => {
    const files = readdirSync(join(root, "native")).filter((name) => name.endsWith(".ts"));
    const values = files.flatMap((name) =>
      [...readFileSync(join(root, "native", name), "utf8").matchAll(/^import (?!type )[^;]*from "\.\.\/schemas\/([^"]+)"/gm)].map(
        (m) => m[1],
      ),
    );
    expect(values.filter((module) => module !== "errors.js")).toEqual([]);
  });
});
