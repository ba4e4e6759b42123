const EVERY_MS = 50;

/** The largest resident size of this process, in MiB, while `work` runs; and what it was before. */
export async function peakMemory<T>(work: () => Promise<T>): Promise<{ result: T; before: number; peak: number }> {
  const mib = (): number => process.memoryUsage.rss() / 2 ** 20;
  const before = mib();
  let peak = before;
  const sampling = setInterval(() => {
    peak = Math.max(peak, mib());
  }, EVERY_MS);
  try {
    const result = await work();
    return { result, before, peak: Math.max(peak, mib()) };
  } finally {
    clearInterval(sampling);
  }
}
