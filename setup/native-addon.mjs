// The C++ addon: native/build.mjs knows how, and does nothing when nothing changed.
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { run } from "./command.mjs";
import { SetUpError } from "./set-up-error.mjs";

/** @returns {Promise<boolean>} whether it was compiled */
export async function setUpNativeAddon(root) {
  const addon = join(root, "build", "native", "kindred.node");
  const builtAt = () => (existsSync(addon) ? statSync(addon).mtimeMs : 0);
  const before = builtAt();
  const done = await run(process.execPath, [join(root, "native", "build.mjs")], { cwd: root });
  if (!done.ok) throw new SetUpError(`the native addon does not compile; run: node native/build.mjs\n${done.output.trim()}`);
  return builtAt() !== before;
}
