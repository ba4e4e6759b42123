import { type Command, CommanderError } from "commander";
import { type ErrorCode, isErrorCode, KindredError } from "../schemas/errors.js";

/** What the process ends with. */
export const EXIT = { ok: 0, failure: 1, usage: 2 } as const;

/** How a command talks to the outside: replaced in tests. */
export interface Terminal {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** `error CODE: message`, where the message ends with the place in brackets. */
export function errorLine(error: unknown): string {
  if (error instanceof KindredError) return `error ${error.code}: ${error.message}\n`;
  if (error instanceof CommanderError) return `error USAGE: ${error.message.replace(/^error: /, "")}\n`;
  // The addon's errors carry our codes, and are no KindredErrors.
  if (error instanceof Error && "code" in error && isErrorCode(error.code)) return `error ${error.code}: ${error.message}\n`;
  // Not foreseen: the stack is what a report of it needs.
  return `error INTERNAL: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`;
}

/** The exit code for what a command threw. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  return error instanceof KindredError && error.code === ("USAGE" satisfies ErrorCode) ? EXIT.usage : EXIT.failure;
}

/** Runs the program; never throws. Help and version are no errors. */
export async function runProgram(program: Command, argv: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await program.parseAsync(argv, { from: "user" });
    return EXIT.ok;
  } catch (error) {
    const code = exitCodeOf(error);
    // A command that only groups others has printed its help, which is what there is to say.
    const helped = error instanceof CommanderError && error.code === "commander.help";
    if (code !== EXIT.ok && !helped) terminal.stderr.write(errorLine(error));
    return code;
  }
}

/** A program whose errors come back as exceptions, with help and version still printed. */
export function frameProgram(program: Command, terminal: Terminal): Command {
  return program
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      // What commander has to say about an error is said once, by runProgram.
      writeErr: (text) => (text.startsWith("error:") ? undefined : terminal.stderr.write(text)),
    })
    .showHelpAfterError(false)
    .showSuggestionAfterError(true);
}
