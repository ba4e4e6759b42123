import { readdirSync, readFileSync } from "node:fs";

/** Of one thread so far: microseconds on a core, and ready to run but waiting for one. */
interface ThreadTimes {
  readonly cpuUs: number;
  readonly waitedUs: number;
}

const TASKS = "/proc/self/task";

function read(): Map<string, ThreadTimes> {
  const times = new Map<string, ThreadTimes>();
  for (const thread of readdirSync(TASKS)) {
    try {
      const [cpu, waited] = readFileSync(`${TASKS}/${thread}/schedstat`, "utf8").split(" ").map(Number);
      times.set(thread, { cpuUs: (cpu as number) / 1000, waitedUs: (waited as number) / 1000 });
    } catch {
      // It has just ended.
    }
  }
  return times;
}

/**
 * What the threads that are there now use from now on, without those that come later, as a builder's does (Linux). Waiting for
 * a core is the machine's and its other processes' doing; CPU is ours.
 */
export class ThreadTimer {
  readonly #before = read();

  read(): ThreadTimes {
    let [cpuUs, waitedUs] = [0, 0];
    for (const [thread, now] of read()) {
      const before = this.#before.get(thread);
      if (before === undefined) continue;
      cpuUs += now.cpuUs - before.cpuUs;
      waitedUs += now.waitedUs - before.waitedUs;
    }
    return { cpuUs, waitedUs };
  }
}
