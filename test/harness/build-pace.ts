import { readdirSync, readFileSync } from "node:fs";
import { getPriority } from "node:os";

const POLL_MS = 5;

/** Lets something go on only as fast as background builds get CPU. Where the system doesn't tell (not Linux), by the wall clock. */
export class BuildPace {
  readonly #seen = new Map<string, number>();
  /** CPU that builds had and nothing has gone on for yet. */
  #ahead = 0;
  #total = 0;
  #last = this.#builders();

  /** Resolves once builds had `seconds` of CPU, or none is under way. */
  async keep(seconds: number, building: () => boolean): Promise<void> {
    this.#count();
    while (building() && this.#ahead < seconds) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      this.#count();
    }
    // What a build had beyond what was waited for counts for the next time, but not for the next build.
    this.#ahead = building() ? this.#ahead - seconds : 0;
  }

  #count(): void {
    const now = this.#builders();
    this.#ahead += now - this.#last;
    this.#last = now;
  }

  /** CPU seconds that background threads have had while they were looked at. */
  #builders(): number {
    if (process.platform !== "linux") return performance.now() / 1000;
    const own = getPriority();
    for (const thread of readdirSync("/proc/self/task")) {
      try {
        const stat = readFileSync(`/proc/self/task/${thread}/stat`, "utf8");
        // After the name in brackets nice is the 17th. Only background threads are nicer than this one.
        if (Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]) <= own) continue;
        const ran = Number(readFileSync(`/proc/self/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1e9;
        const before = this.#seen.get(thread) ?? 0;
        // Less than before: another thread of the same number.
        this.#total += ran < before ? ran : ran - before;
        this.#seen.set(thread, ran);
      } catch {
        // It ended meanwhile.
      }
    }
    return this.#total;
  }
}
