import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where the server of a data directory listens; written by it, removed when it ends. */
export interface ServerAddress {
  readonly url: string;
  readonly pid: number;
}

const CONNECT_TIMEOUT_MS = 2_000;
const pathIn = (dataDir: string): string => join(dataDir, "kindred.address");

/** Written aside and renamed: a reader never sees half of it. */
export function writeAddress(dataDir: string, address: ServerAddress): void {
  mkdirSync(dataDir, { recursive: true });
  const aside = `${pathIn(dataDir)}.${randomUUID()}`;
  writeFileSync(aside, `${JSON.stringify(address)}\n`);
  renameSync(aside, pathIn(dataDir));
}

/** Removes the file if it is this process's: a server that could not start must not hide the one that runs. */
export function removeAddress(dataDir: string): void {
  if (readAddress(dataDir)?.pid === process.pid) rmSync(pathIn(dataDir), { force: true });
}

/** What the file says; undefined when there is none, or when it is no address. */
export function readAddress(dataDir: string): ServerAddress | undefined {
  try {
    const { url, pid } = JSON.parse(readFileSync(pathIn(dataDir), "utf8")) as Partial<ServerAddress>;
    return typeof url === "string" && typeof pid === "number" ? { url, pid } : undefined;
  } catch {
    return undefined;
  }
}

/** The server that answers for a data directory now. A file left behind by a killed server names one that does not. */
export async function findServer(dataDir: string): Promise<ServerAddress | undefined> {
  const address = readAddress(dataDir);
  if (!address) return undefined;
  try {
    const answer = await fetch(`${address.url}/healthz`, { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) });
    // The port may be someone else's by now.
    const { status } = (await answer.json()) as { status?: unknown };
    return typeof status === "string" ? address : undefined;
  } catch {
    return undefined;
  }
}
