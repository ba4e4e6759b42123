import type { Command } from "commander";
import type { Terminal } from "../command-frame.js";

export function addDemo(_program: Command, _terminal: Terminal): void {}
