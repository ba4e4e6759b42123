import { KindredError } from "../../schemas/errors.js";

interface Waiting<Job> {
  readonly job: Job;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Group commit: jobs that arrive while one write is in flight are gathered and written together, in the order they came.
 * A failed write ends it: what was in the group is unknown on the disk, so nothing may be written after it until the
 * journal has been opened again and looked.
 */
export class GroupCommit<Job> {
  readonly #write: (group: readonly Job[]) => Promise<void>;
  readonly #weigh: (job: Job) => number;
  readonly #maxWeight: number;
  readonly #onFailure: (error: KindredError) => void;
  #waiting: Waiting<Job>[] = [];
  #running: Promise<void> | undefined;
  #failure: KindredError | undefined;

  /**
   * @param maxWeight a group takes jobs until they weigh so much; a heavier job goes alone
   * @param onFailure told once, at the first write that failed
   */
  constructor(
    write: (group: readonly Job[]) => Promise<void>,
    weigh: (job: Job) => number,
    maxWeight: number,
    onFailure: (error: KindredError) => void,
  ) {
    this.#write = write;
    this.#weigh = weigh;
    this.#maxWeight = maxWeight;
    this.#onFailure = onFailure;
  }

  /** Resolves when the job is durable. @throws KindredError STORAGE_FAILED when it or an earlier one could not be written */
  submit(job: Job): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing is waiting or in flight. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // Callers of the same turn share the first write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      try {
        await this.#write(group.map(({ job }) => job));
        for (const { resolve } of group) resolve();
      } catch (error) {
        this.#fail(error, group);
      }
    }
    this.#running = undefined;
  }

  #takeGroup(): Waiting<Job>[] {
    let weight = 0;
    let count = 0;
    for (const { job } of this.#waiting) {
      weight += this.#weigh(job);
      if (count > 0 && weight > this.#maxWeight) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  #fail(cause: unknown, group: readonly Waiting<Job>[]): void {
    const why = cause instanceof Error ? cause.message : String(cause);
    this.#failure = new KindredError(
      "STORAGE_FAILED",
      `the journal could not write and takes nothing more until it is opened again: ${why}`,
      undefined,
      { cause },
    );
    for (const { reject } of [...group, ...this.#waiting]) reject(this.#failure);
    this.#waiting = [];
    this.#onFailure(this.#failure);
  }
}
