// Python packages from PyPI that tests and benches measure kindred against; the product itself needs no Python.
//   node setup/python.mjs test/requirements.txt    prints the interpreter that has them
// A virtual environment per content of the requirements file, kept outside the checkout, made once.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { hasProgram, run } from "./command.mjs";
import { withLock } from "./lock.mjs";
import { SetUpError } from "./set-up-error.mjs";

const cache = () => join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "kindred");

/**
 * The interpreter of an environment with the packages of a requirements file.
 * @returns {Promise<{ python: string, changed: boolean }>}
 */
export async function setUpPython(requirements, say = () => undefined) {
  const hash = createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 16);
  const directory = join(cache(), `python-${hash}`);
  const python = join(directory, "bin", "python");
  if (existsSync(python)) return { python, changed: false };
  mkdirSync(cache(), { recursive: true });
  return withLock(join(cache(), `.python-${hash}-lock`), async () => {
    if (existsSync(python)) return { python, changed: false };
    say(`installing the Python packages of ${requirements}`);
    await makeEnvironment(directory, requirements);
    return { python, changed: true };
  });
}

async function makeEnvironment(directory, requirements) {
  if (!hasProgram("python3")) throw new SetUpError("Python 3 is missing; on Debian: apt-get install -y python3 python3-venv");
  // An environment knows its own place, so it can't be made aside and renamed: what an interrupted run left is removed instead.
  const done = join(directory, "bin", "python");
  const aside = `${done}.unfinished`;
  rmSync(directory, { recursive: true, force: true });
  const made = await run("python3", ["-m", "venv", directory]);
  if (!made.ok)
    throw new SetUpError(`no Python environment could be made; on Debian: apt-get install -y python3-venv\n${made.output.slice(-2000)}`);
  // Until everything is installed, nobody takes it for ready.
  renameSync(done, aside);
  const installed = await run(aside, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]);
  if (!installed.ok)
    throw new SetUpError(
      `Python packages could not be installed; some are compiled, on Debian: apt-get install -y python3-dev g++; then see what ` +
        `fails by: pip install -r ${requirements}\n${installed.output.slice(-2000)}`,
    );
  renameSync(aside, done);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [requirements] = process.argv.slice(2);
  if (requirements === undefined) {
    process.stderr.write("usage: node setup/python.mjs REQUIREMENTS\n");
    process.exit(2);
  }
  try {
    const root = dirname(dirname(fileURLToPath(import.meta.url)));
    const { python } = await setUpPython(join(root, requirements), (text) => process.stderr.write(`set-up: ${text} ...\n`));
    process.stdout.write(`${python}\n`);
  } catch (error) {
    if (!(error instanceof SetUpError)) throw error;
    process.stderr.write(`set-up: ${error.message}\n`);
    process.exit(1);
  }
}
