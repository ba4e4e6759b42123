// Two commands started at once must not both run npm or the compiler: the second waits, then finds everything done.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { SetUpError } from "./set-up-error.mjs";

const WAIT_MS = 15 * 60_000;
const POLL_MS = 100;

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

/** Runs `work` while no other set-up of this checkout runs. A lock whose process died is taken over. */
export async function withLock(lock, work) {
  mkdirSync(dirname(lock), { recursive: true });
  const until = Date.now() + WAIT_MS;
  let unknownSince;
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const pid = holder(lock);
    unknownSince = pid === undefined ? (unknownSince ?? Date.now()) : undefined;
    if ((pid !== undefined && !isAlive(pid)) || (unknownSince !== undefined && Date.now() - unknownSince > 2_000)) {
      rmSync(lock, { recursive: true, force: true });
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
