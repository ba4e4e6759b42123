// Compiles native/src/*.cc to build/native/kindred.node; plain Node, no dependencies but the headers of
// node-addon-api and node-api-headers. Object files are kept by a hash of what they were made from, so that a
// second run does nothing. `--stress-tsan [NAME]` and `--stress-asan [NAME]` build the programs of native/test (or one) under
// the thread or the address sanitizer instead, `--bench [NAME]` those of native/bench.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, "native", "src");
const out = join(root, "build", "native");
const objects = join(out, "obj");
const compiler = process.env.CXX || "g++";
const isMac = process.platform === "darwin";
const MAX_JOBS = 2;
/** Object files of earlier states that are kept, e.g. of another branch. */
const MAX_OBJECTS = 96;

const include = (...parts) => `-I${join(root, "node_modules", ...parts)}`;
const COMMON = ["-std=c++17", "-O3", "-g1", "-fPIC", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-maybe-uninitialized", "-pthread"];
const ADDON_FLAGS = [
  ...COMMON,
  "-fvisibility=hidden",
  "-DNAPI_VERSION=8",
  "-DNAPI_CPP_EXCEPTIONS",
  "-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
  "-DNODE_ADDON_API_DISABLE_DEPRECATED",
  "-DBUILDING_NODE_EXTENSION",
];
const INCLUDES = [include("node-addon-api"), include("node-api-headers", "include"), `-I${source}`];
const brew = (name) => join(process.env.HOMEBREW_PREFIX || "/opt/homebrew", "opt", name);
const LIBRARIES = isMac
  ? [
      "-undefined",
      "dynamic_lookup",
      `-L${brew("faiss")}/lib`,
      `-L${brew("libsodium")}/lib`,
      `-L${brew("libomp")}/lib`,
      "-lfaiss",
      "-lomp",
      "-lsodium",
      "-framework",
      "Accelerate",
    ]
  : ["-l:libfaiss.a", "-lopenblas", "-llapack", "-lgomp", "-l:libsodium.a"];
const MAC_INCLUDES = isMac ? ["faiss", "libsodium", "libomp"].map((name) => `-I${brew(name)}/include`) : [];
// nodelete: a worker's end must not unload code that a background build still runs.
const LINK = isMac ? ["-bundle"] : ["-shared", "-Wl,-z,nodelete", "-Wl,--gc-sections", "-Wl,--exclude-libs,ALL"];

const sha = (...parts) =>
  parts
    .reduce((hash, part) => hash.update(part).update("\0"), createHash("sha256"))
    .digest("hex")
    .slice(0, 24);

function compile(args) {
  return new Promise((resolve, reject) => {
    execFile(compiler, args, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (stderr) process.stderr.write(stderr);
      if (error === null) resolve(stdout);
      else if (error.code === "ENOENT") reject(new Error(`the C++ compiler ${compiler} is missing; on Debian: apt-get install g++`));
      else reject(new Error(`${compiler} failed:\n${stderr.slice(-4000)}`));
    });
  });
}

async function inTurns(work) {
  const waiting = [...work];
  await Promise.all(
    Array.from({ length: MAX_JOBS }, async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) await next();
    }),
  );
}

/** What #include "..." reaches from `file`, itself included, in a fixed order. */
function reached(file, seen = new Map()) {
  if (seen.has(file) || !existsSync(file)) return seen;
  const text = readFileSync(file, "utf8");
  seen.set(file, text);
  for (const [, name] of text.matchAll(/#\s*include\s+"([^"]+)"/g)) reached(join(dirname(file), name), seen);
  return seen;
}

async function version() {
  return (await compile(["-dumpfullversion", "-dumpmachine"])).trim();
}

const stem = (file) => file.slice(file.lastIndexOf("/") + 1, -".cc".length);

async function objectOf(file, flags, salt, work) {
  const presence = [...readFileSync(file, "utf8").matchAll(/__has_include\("([^"]+)"\)/g)].map(
    ([, name]) => `${name}:${existsSync(join(dirname(file), name))}`,
  );
  const texts = [...reached(file)].flatMap(([path, text]) => [path.slice(root.length), text]);
  const object = join(objects, `${stem(file)}-${sha(salt, ...flags, ...presence, ...texts)}.o`);
  if (!existsSync(object)) {
    work.push(async () => {
      if (existsSync(object)) return;
      const aside = `${object}.${process.pid}`;
      await compile([...flags, ...INCLUDES, ...MAC_INCLUDES, "-c", file, "-o", aside]);
      renameSync(aside, object);
      console.log(`compiled ${file.slice(root.length + 1)}`);
    });
  }
  return object;
}

function removeOldObjects(kept) {
  const old = readdirSync(objects).filter((name) => !kept.includes(join(objects, name)));
  if (old.length > MAX_OBJECTS) for (const name of old) rmSync(join(objects, name), { force: true });
}

async function buildAddon() {
  const salt = `${compiler} ${await version()}`;
  const files = readdirSync(source)
    .filter((name) => name.endsWith(".cc"))
    .sort()
    .map((name) => join(source, name));
  const work = [];
  const compiled = await Promise.all(files.map((file) => objectOf(file, ADDON_FLAGS, salt, work)));
  await inTurns(work);
  const target = join(out, "kindred.node");
  const stamp = sha(salt, ...LINK, ...LIBRARIES, ...compiled.map((file) => file.slice(root.length)));
  const stampFile = `${target}.stamp`;
  if (existsSync(target) && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;
  const aside = `${target}.${process.pid}`;
  await compile([...LINK, ...compiled, "-o", aside, "-pthread", ...LIBRARIES]);
  renameSync(aside, target);
  writeFileSync(stampFile, stamp);
  removeOldObjects(compiled);
  console.log("built build/native/kindred.node");
}

const INDEX = [
  "kernels",
  "vector_table",
  "exact_scan",
  "graph_walk",
  "hnsw_graph",
  "hnsw_builder",
  "length_order",
  "vector_index",
  "vector_index_search",
  "vector_index_build",
  "vector_index_files",
  "node_layout",
];

const BANDS = ["bands", "bands_search", "fold_filter"];
const READ_MODEL = [
  "read_model",
  "read_model_recall",
  "read_model_file",
  "read_model_stream",
  "crc32c",
  "id_table",
  ...BANDS,
  "co_occurrence",
];

/** Programs without Node, by the flag that asks for them; `parts`: the sources of each beside its own. */
const PROGRAMS = {
  /** What threads share: the table alone, the whole index, the bands, and the read model. */
  "--stress-tsan": {
    folder: "test",
    sanitizer: "thread",
    parts: {
      table_stress: ["kernels", "vector_table"],
      reserved_memory: ["kernels", "vector_table", "exact_scan"],
      split_scan: ["kernels", "vector_table", "exact_scan"],
      index_stress: INDEX,
      bands_stress: BANDS,
      read_model_stress: READ_MODEL,
    },
  },
  /** What happens where memory is refused. */
  "--stress-asan": { folder: "test", sanitizer: "address", parts: { refused_memory: [...INDEX, "shard_files", "crc32c"] } },
  /** What is measured. */
  "--bench": { folder: "bench", parts: { search_cost: [...INDEX, "shard_files", "crc32c"], bands_bench: BANDS } },
};

/** A compiler without the sanitizer's library fails at the link, in words of the linker. */
function explained(error) {
  if (!/[ta]san/.test(error.message) || !/cannot find|not found|No such file/.test(error.message)) return error;
  return new Error(`the sanitizer's library is missing; on Debian: apt-get install libgcc-12-dev (of g++'s version)\n${error.message}`);
}

async function buildPrograms({ folder, sanitizer, parts }, wanted) {
  const link = sanitizer === undefined ? [] : [`-fsanitize=${sanitizer}`];
  const flags = sanitizer === undefined ? COMMON : [...COMMON.filter((flag) => flag !== "-O3"), "-O1", ...link];
  const salt = `${compiler} ${await version()}`;
  const work = [];
  const programs = [];
  for (const [name, sources] of Object.entries(parts)) {
    if (wanted !== undefined && wanted !== name) continue;
    const files = [...sources.map((part) => join(source, `${part}.cc`)), join(root, "native", folder, `${name}.cc`)];
    programs.push({ name, objects: await Promise.all(files.map((file) => objectOf(file, flags, salt, work))) });
  }
  await inTurns(work);
  for (const { name, objects } of programs) {
    const aside = join(out, `${name}.${process.pid}`);
    await compile([...link, "-pthread", ...objects, "-o", aside, ...LIBRARIES]).catch((error) => {
      throw explained(error);
    });
    renameSync(aside, join(out, name));
  }
}

try {
  mkdirSync(objects, { recursive: true });
  const [what, name] = process.argv.slice(2);
  await (what in PROGRAMS ? buildPrograms(PROGRAMS[what], name) : buildAddon());
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
