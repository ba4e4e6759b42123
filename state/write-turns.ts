/** Writes of one store, one after the other in the order they were asked for. One that fails does not hold up the next. */
export class WriteTurns {
  #newest: Promise<unknown> = Promise.resolve();

  take<T>(write: () => Promise<T>): Promise<T> {
    const written = this.#newest.then(write);
    this.#newest = written.catch(() => undefined);
    return written;
  }

  /** Resolves when everything asked for by now was tried. */
  async settled(): Promise<void> {
    await this.#newest;
  }
}
