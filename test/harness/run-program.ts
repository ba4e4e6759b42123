import { spawn } from "node:child_process";

/** Runs a program that is not ours to its end and resolves what it wrote. @throws with its errors when it fails */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { input?: string; timeoutMs?: number } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], timeout: options.timeoutMs ?? 60_000 });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`${program} ${args.join(" ")} ended with ${code ?? signal}: ${stderr.trim() || stdout.trim()}`));
    });
    // It ended before it read its input: its exit code says what matters.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}
