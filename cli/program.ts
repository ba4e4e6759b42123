import { Command } from "commander";
import { frameProgram, type Terminal } from "./command-frame.js";
import { addDeadLetters } from "./commands/dead-letters.js";
import { addDemo } from "./commands/demo.js";
import { addEvaluate } from "./commands/evaluate.js";
import { addGenerations } from "./commands/generations.js";
import { addItems } from "./commands/items.js";
import { addReplay } from "./commands/replay.js";
import { addRetrain } from "./commands/retrain.js";
import { addSchemas } from "./commands/schemas.js";
import { addServe } from "./commands/serve.js";
import { addSplit } from "./commands/split.js";
import { addState } from "./commands/state.js";
import { addTrain } from "./commands/train.js";
import { packageVersion } from "./package-root.js";

/** Every command of `kindred`. */
export function buildProgram(terminal: Terminal): Command {
  const program = frameProgram(new Command("kindred"), terminal)
    .description("Real-time recall from implicit relationship chains: behaviour in, neighbours out, within milliseconds.")
    .version(packageVersion())
    .helpCommand(true);
  for (const add of [
    addServe,
    addDemo,
    addReplay,
    addItems,
    addDeadLetters,
    addSchemas,
    addState,
    addSplit,
    addTrain,
    addEvaluate,
    addGenerations,
    addRetrain,
  ])
    add(program, terminal);
  return program;
}
