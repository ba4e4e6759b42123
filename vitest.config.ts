import { defineConfig } from "vitest/config";

/** Tests that are given a Kafka broker and a schema registry: these folders, and whatever other file says so by its name. */
const WITH_SERVERS = ["test/kafka/**/*.test.ts", "test/**/*.servers.test.ts"];

export default defineConfig({
  test: {
    // A process a file: the addon's memory is process-wide, and a test that ends its process must not take others along.
    pool: "forks",
    // As cli/main.cts has it.
    env: { OMP_NUM_THREADS: "1" },
    testTimeout: 30_000,
    hookTimeout: 30_000,
    projects: [
      { extends: true, test: { name: "tests", include: ["test/**/*.test.ts"], exclude: WITH_SERVERS } },
      {
        extends: true,
        test: {
          name: "kafka",
          include: WITH_SERVERS,
          globalSetup: "test/harness/shared-servers.ts",
          testTimeout: 60_000,
          hookTimeout: 120_000,
          // After the others and two at a time: each may start servers and processes of its own.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
