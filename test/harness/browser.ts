import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { projectRoot } from "./kindred-process.js";

/** Chromium without a window, as setup/browser.mjs finds it. @throws where there is none, with what installs it */
export async function startBrowser(): Promise<Browser> {
  const { stdout: executablePath } = spawnSync(process.execPath, [join(projectRoot, "setup", "browser.mjs")], { encoding: "utf8" });
  if (executablePath === "") throw new Error("Chromium is missing, which tests open pages in; on Debian: apt-get install -y chromium");
  // Root, as in containers, has no sandbox; the pages are our own.
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
}
