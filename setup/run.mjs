// Everything between a fresh checkout and a running kindred, in Node alone; a second run only looks that nothing changed.
//   node setup/run.mjs           one line a step
//   node setup/run.mjs --quiet   only what had to be done, on stderr (before `npm run -s kindred`, whose stdout is its result)
//   node setup/run.mjs --test    also what only the tests need
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { asksForFaissNode, setUpFaissNode } from "./faiss-node.mjs";
import { withLock } from "./lock.mjs";
import { setUpNativeAddon } from "./native-addon.mjs";
import { setUpNpmPackages } from "./npm-packages.mjs";
import { setUpPython } from "./python.mjs";
import { SetUpError } from "./set-up-error.mjs";
import { setUpSystemPackages } from "./system-packages.mjs";
import { setUpTestServers } from "./test-servers.mjs";
import { setUpTypeScript } from "./typescript.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const quiet = process.argv.includes("--quiet");
const forTests = process.argv.includes("--test");

const STEPS = [
  { name: "system packages", run: (say) => setUpSystemPackages(say, forTests) },
  { name: "npm packages", run: (say) => setUpNpmPackages(root, say) },
  { name: "native addon", run: () => setUpNativeAddon(root) },
  { name: "TypeScript", run: () => setUpTypeScript(root) },
];

/** Who does not ask for it does not wait for it. */
const FAISS_NODE = { name: "faiss-node", run: (say) => setUpFaissNode(root, say) };

const TEST_STEPS = [
  FAISS_NODE,
  { name: "Python packages", run: async (say) => (await setUpPython(join(root, "test", "requirements.txt"), say)).changed },
  { name: "test servers", run: async (say) => (await setUpTestServers(say)).changed },
];

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) throw new SetUpError(`Node 20.19 or later is needed, this is ${process.versions.node}`);
}

function steps() {
  if (forTests) return [...STEPS, ...TEST_STEPS];
  return asksForFaissNode(root) ? [...STEPS, FAISS_NODE] : STEPS;
}

async function setUp() {
  checkNode();
  for (const step of steps()) {
    const say = (text) => process.stderr.write(`set-up: ${text} ...\n`);
    const startedAt = performance.now();
    const changed = await step.run(say);
    const line = changed ? `${step.name}: done in ${((performance.now() - startedAt) / 1000).toFixed(1)} s` : `${step.name}: up to date`;
    if (!quiet) process.stdout.write(`set-up: ${line}\n`);
    else if (changed) process.stderr.write(`set-up: ${line}\n`);
  }
}

try {
  await withLock(join(root, "build", ".setup-lock"), setUp);
} catch (error) {
  if (!(error instanceof SetUpError)) throw error;
  process.stderr.write(`set-up: ${error.message}\n`);
  process.exit(1);
}
