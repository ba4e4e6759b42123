// The compiler and the libraries that the native addon needs; Python for what tests and benches measure against; Java for the tests'
// servers. Looked for by their files: a library that was built by hand counts too.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { findBrowser } from "./browser.mjs";
import { hasProgram, run } from "./command.mjs";
import { findJava } from "./java.mjs";
import { SetUpError } from "./set-up-error.mjs";
import { isAnyToStart } from "./test-servers.mjs";

const extraFolders = (...names) => names.flatMap((name) => (process.env[name] ?? "").split(":")).filter((folder) => folder !== "");

function includeFolders() {
  const folders = [...extraFolders("CPATH", "CPLUS_INCLUDE_PATH"), "/usr/include", "/usr/local/include", "/opt/homebrew/include"];
  for (const keg of ["openblas", "libomp", "faiss", "libsodium"])
    for (const prefix of ["/opt/homebrew", "/usr/local"]) folders.push(`${prefix}/opt/${keg}/include`);
  // Debian keeps headers of one architecture a level down: /usr/include/x86_64-linux-gnu.
  for (const entry of existsSync("/usr/include") ? readdirSync("/usr/include") : [])
    if (/^[a-z0-9_]+-linux-gnu/.test(entry)) folders.push(join("/usr/include", entry));
  return folders;
}

const hasHeader = (folders, header) => folders.some((folder) => existsSync(join(folder, header)));

/** What is needed, how it is found, and what it is called where. */
const NEEDS = [
  { apt: "g++", brew: undefined, found: () => hasProgram("g++") || hasProgram("clang++") },
  { apt: "make", brew: undefined, found: () => hasProgram("make") },
  { apt: "libfaiss-dev", brew: "faiss", found: (folders) => hasHeader(folders, "faiss/IndexHNSW.h") },
  { apt: "libopenblas-dev", brew: "openblas", found: (folders) => hasHeader(folders, "cblas.h") },
  { apt: "libsodium-dev", brew: "libsodium", found: (folders) => hasHeader(folders, "sodium.h") },
  { apt: undefined, brew: "libomp", found: (folders) => process.platform !== "darwin" || hasHeader(folders, "omp.h") },
];

const pythonSays = (question) => spawnSync("python3", ["-c", question], { stdio: "ignore" }).status === 0;
const HAS_HEADERS = "import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path('include'), 'Python.h')))";
const inUsrInclude = (header) =>
  existsSync("/usr/include") && readdirSync("/usr/include").some((name) => existsSync(join("/usr/include", name, header)));

/** Kafka and the registry run on either; which of them a Debian or Ubuntu has depends on its age. */
function javaPackage() {
  const names = ["openjdk-17-jre-headless", "openjdk-21-jre-headless"];
  const isKnown = (name) => spawnSync("apt-cache", ["show", name], { stdio: "ignore" }).status === 0;
  return names.find(isKnown) ?? names[0];
}

/**
 * What only the tests and benches need: environments for packages of PyPI, some of which (hnswlib) are compiled on the spot; servers
 * that are fetched by Maven and run by Java; a Kafka client that is not ours; a browser that opens pages.
 */
const TEST_NEEDS = [
  { apt: "python3-venv", brew: "python3", found: () => pythonSays("import ensurepip, venv") },
  { apt: "python3-dev", brew: "python3", found: () => pythonSays(HAS_HEADERS) || inUsrInclude("Python.h") },
  { apt: javaPackage, brew: "openjdk@17", found: () => !isAnyToStart() || findJava() !== undefined },
  { apt: "maven", brew: "maven", found: () => !isAnyToStart() || hasProgram("mvn") },
  { apt: "kcat", brew: "kcat", found: () => hasProgram("kcat") },
  { apt: "chromium", brew: "chromium", found: () => findBrowser() !== undefined },
];

const aptName = (need) => (typeof need.apt === "function" ? need.apt() : need.apt);

/** The needs that are not met, as entries of the tables above. */
export function missingPackages(forTests = false) {
  const folders = includeFolders();
  return [...NEEDS, ...(forTests ? TEST_NEEDS : [])].filter((need) => !need.found(folders));
}

async function withApt(names, say) {
  const root = process.getuid?.() === 0;
  const line = `${root ? "" : "sudo "}apt-get install -y ${names.join(" ")}`;
  const passwordless = root || (hasProgram("sudo") && spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status === 0);
  if (!passwordless) throw new SetUpError(`system packages are missing; run: ${line}`);
  const apt = (...args) =>
    run(root ? "apt-get" : "sudo", root ? args : ["-n", "apt-get", ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  say(`installing ${names.join(" ")} with apt-get`);
  const install = ["install", "-y", "--no-install-recommends", ...names];
  if ((await apt(...install)).ok) return;
  // The usual reason: a fresh image without package lists.
  await apt("update");
  const again = await apt(...install);
  if (!again.ok) throw new SetUpError(`system packages could not be installed; run: ${line}\n${again.output.trim()}`);
}

async function withBrew(names, say) {
  const line = `brew install ${names.join(" ")}`;
  if (!hasProgram("brew")) throw new SetUpError(`system packages are missing; install Homebrew, then run: ${line}`);
  say(`installing ${names.join(" ")} with brew`);
  const done = await run("brew", ["install", ...names]);
  if (!done.ok) throw new SetUpError(`system packages could not be installed; run: ${line}\n${done.output.trim()}`);
}

/** @returns {Promise<boolean>} whether anything was installed */
export async function setUpSystemPackages(say, forTests = false) {
  const missing = missingPackages(forTests);
  if (missing.length === 0) return false;
  if (process.platform === "darwin") {
    const names = [...new Set(missing.flatMap((need) => need.brew ?? []))];
    if (missing.some((need) => need.brew === undefined)) throw new SetUpError("no C++ compiler was found; run: xcode-select --install");
    await withBrew(names, say);
  } else {
    const names = missing.flatMap((need) => aptName(need) ?? []);
    if (!hasProgram("apt-get")) throw new SetUpError(`install with this system's package manager what Debian calls: ${names.join(" ")}`);
    await withApt(names, say);
  }
  const still = missingPackages(forTests);
  if (still.length > 0)
    throw new SetUpError(`installed, but still not found: ${still.map((need) => aptName(need) ?? need.brew).join(" ")}`);
  return true;
}
