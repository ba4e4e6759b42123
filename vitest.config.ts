import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // A process a file: the addon's memory is process-wide, and a test that ends its process must not take others along.
    pool: "forks",
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
