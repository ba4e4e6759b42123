import { runProgram } from "../../cli/command-frame.js";
import { buildProgram } from "../../cli/program.js";

/** What a command wrote, and how it ended. */
export interface CommandEnd {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `kindred ARGS` in this process. */
export async function runCommand(args: readonly string[], env: Record<string, string> = {}): Promise<CommandEnd> {
  const written = { out: "", err: "" };
  const sink = (name: "out" | "err") => ({
    write: (text: string): void => {
      written[name] += text;
    },
  });
  const terminal = { stdout: sink("out"), stderr: sink("err"), env };
  const code = await runProgram(buildProgram(terminal), args, terminal);
  return { code, ...written };
}
