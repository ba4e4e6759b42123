/** Tells when everybody who is here now has left, however many come meanwhile. */
export class Readers {
  /** How many are here of those who came between two calls of `left`, oldest first; the last is counted up. */
  private readonly counts: { here: number; gone: (() => void) | undefined }[] = [{ here: 0, gone: undefined }];

  /** @returns to be called when it leaves, once */
  enter(): () => void {
    const count = this.counts.at(-1) as (typeof this.counts)[number];
    count.here += 1;
    return () => {
      count.here -= 1;
      this.settle();
    };
  }

  left(): Promise<void> {
    return new Promise((resolve) => {
      (this.counts.at(-1) as (typeof this.counts)[number]).gone = resolve;
      this.counts.push({ here: 0, gone: undefined });
      this.settle();
    });
  }

  /** Whoever asked later waits also for those of before. */
  private settle(): void {
    for (let first = this.counts[0]; first?.here === 0 && first.gone; first = this.counts[0]) {
      this.counts.shift();
      first.gone();
    }
  }
}
