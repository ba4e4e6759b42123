import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { frameProgram, type Terminal } from "./command-frame.js";
import { addDeadLetters } from "./commands/dead-letters.js";
import { addDemo } from "./commands/demo.js";
import { addItems } from "./commands/items.js";
import { addReplay } from "./commands/replay.js";
import { addServe } from "./commands/serve.js";
import { addState } from "./commands/state.js";

/** The version in the package.json above this file (source or dist). */
export function packageVersion(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name?: string; version?: string };
      if (manifest.name === "kindred") return manifest.version ?? "0.0.0";
    } catch {
      // Not here: one folder up.
    }
    if (dirname(folder) === folder) return "0.0.0";
  }
}

/** Every command of `kindred`. */
export function buildProgram(terminal: Terminal): Command {
  const program = frameProgram(new Command("kindred"), terminal)
    .description("Real-time recall from implicit relationship chains: behaviour in, neighbours out, within milliseconds.")
    .version(packageVersion())
    .helpCommand(true);
  for (const add of [addServe, addDemo, addReplay, addItems, addDeadLetters, addState]) add(program, terminal);
  return program;
}
