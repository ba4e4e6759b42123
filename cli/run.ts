import { runProgram, type Terminal } from "./command-frame.js";
import { buildProgram } from "./program.js";

const terminal: Terminal = { stdout: process.stdout, stderr: process.stderr, env: process.env };
process.exitCode = await runProgram(buildProgram(terminal), process.argv.slice(2), terminal);
