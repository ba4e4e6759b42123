// The browser that tests open pages in: Chromium or Chrome, as systems call it.
//   node setup/browser.mjs    prints its path; nothing where there is none
import { spawnSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ON_PATH = ["chromium", "chromium-browser", "google-chrome"];
const ON_MACOS = ["/Applications/Chromium.app/Contents/MacOS/Chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"];

/** `BROWSER_PATH`, or the first that is installed. */
export function findBrowser(env = process.env) {
  if (env.BROWSER_PATH) return env.BROWSER_PATH;
  for (const name of ON_PATH) {
    const { status, stdout } = spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8", env });
    if (status === 0) return stdout.trim();
  }
  return ON_MACOS.find((path) => existsSync(path));
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  process.stdout.write(findBrowser() ?? "");
