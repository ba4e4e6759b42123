// Two commands started at once must not both run npm or the compiler: the second waits, then finds everything done.
import { mkdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { SetUpError } from "./set-up-error.mjs";

const WAIT_MS = 15 * 60_000;
const POLL_MS = 100;
/** Nobody takes so long to remove a lock: who began to is dead. */
const GUARD_MS = 10_000;

const isAlive = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
};

/** The process that holds the lock; undefined when it was just being taken, or is gone. */
function holder(lock) {
  try {
    return Number(readFileSync(join(lock, "pid"), "utf8"));
  } catch {
    return undefined;
  }
}

/** Tells a lock from one that was taken later under the same name; undefined when there is none. */
function identity(lock) {
  try {
    const { ino, birthtimeMs } = statSync(lock);
    return `${ino}-${birthtimeMs}-${holder(lock)}`;
  } catch {
    return undefined;
  }
}

/** Of several that find a lock to be dead, one removes it, and only that lock: another may have taken it anew since it was `seen`. */
function removeDead(lock, seen) {
  const guard = `${lock}.removing`;
  try {
    mkdirSync(guard);
  } catch {
    if (Date.now() - (statSync(guard, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > GUARD_MS) rmSync(guard, { recursive: true });
    return;
  }
  try {
    if (identity(lock) === seen) rmSync(lock, { recursive: true, force: true });
  } finally {
    rmdirSync(guard);
  }
}

/** Runs `work` while no other set-up of this checkout runs. A lock whose process died is taken over. */
export async function withLock(lock, work) {
  mkdirSync(dirname(lock), { recursive: true });
  const until = Date.now() + WAIT_MS;
  let unknown;
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const seen = identity(lock);
    const pid = holder(lock);
    if (pid !== undefined) unknown = undefined;
    else if (unknown?.seen !== seen) unknown = { seen, since: Date.now() };
    if ((pid !== undefined && !isAlive(pid)) || (unknown !== undefined && Date.now() - unknown.since > 2_000)) {
      removeDead(lock, seen);
      await new Promise((resolve) => setTimeout(resolve, 1));
      continue;
    }
    if (Date.now() > until)
      throw new SetUpError(`another set-up (process ${pid}) has not finished; if it is stuck, end it and remove ${lock}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  writeFileSync(join(lock, "pid"), String(process.pid));
  const release = () => rmSync(lock, { recursive: true, force: true });
  const stop = () => {
    release();
    process.exit(1);
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    return await work();
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    release();
  }
}
