#!/usr/bin/env -S node --max-semi-space-size=64
// A micro-batch lives for milliseconds: in the default young generation of 16 MiB much of it is copied on, a fifth of a replay's time.
import { runProgram, type Terminal } from "./command-frame.js";
import { buildProgram } from "./program.js";

const terminal: Terminal = { stdout: process.stdout, stderr: process.stderr, env: process.env };
process.exitCode = await runProgram(buildProgram(terminal), process.argv.slice(2), terminal);
