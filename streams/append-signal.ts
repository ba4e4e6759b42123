/** Wakes readers that wait for new records; no polling. */
export class AppendSignal {
  readonly #waiting = new Set<() => void>();

  wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** Resolves at the next `wake`, after `waitMs` (absent: never), or when `signal` aborts: the caller looks which. */
  wait(waitMs: number | undefined, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = waitMs === undefined ? undefined : setTimeout(done, waitMs);
      signal?.addEventListener("abort", done);
      this.#waiting.add(done);
    });
  }
}
