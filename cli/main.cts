#!/usr/bin/env -S node --max-semi-space-size=64
// A micro-batch lives for milliseconds: in the default young generation of 16 MiB much of it is copied on, a fifth of a replay's time.
import os = require("node:os");

// Searches and the store's writes run on libuv's pool. With more threads than cores each hand-over costs five times as much, and
// under load answers wait for the scheduler (measured on two cores: 9 recalls a second instead of 412 while folding 3,000
// events/s). The pool is made at its first use, which loading an ES module already is: hence this file in CommonJS.
process.env.UV_THREADPOOL_SIZE ??= String(Math.max(2, os.availableParallelism()));

// Faiss opens an OpenMP region for a single query: with two threads a search of faiss-node took 5,470 us of CPU instead of 155, all of
// it waiting. OpenMP reads this when the first addon is loaded; our own addon says it to each of its threads anyway.
process.env.OMP_NUM_THREADS ??= "1";

import("./run.js").catch((error: unknown) => {
  process.stderr.write(`error INTERNAL: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
