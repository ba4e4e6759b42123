import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // A process a file: the addon's memory is process-wide, and a test that ends its process must not take others along.
    pool: "forks",
    // As cli/main.cts has it.
    env: { OMP_NUM_THREADS: "1" },
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
