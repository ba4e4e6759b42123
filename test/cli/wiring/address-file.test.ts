import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findServer, readAddress, removeAddress, writeAddress } from "../../../cli/wiring/address-file.js";

describe("the address file of a data directory", () => {
  let dataDir = "";
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), "kindred-address-"));
  });
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

  it("leads to the server that runs, and to none when that is gone", async () => {
    let body = '{"status":"ok"}';
    const server = createServer((_, response) => response.end(body));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    writeAddress(join(dataDir, "new"), { url, pid: process.pid });
    expect(await findServer(join(dataDir, "new"))).toEqual({ url, pid: process.pid });
    for (body of ["{}", "hello", "null"]) expect(await findServer(join(dataDir, "new"))).toBeUndefined();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect(await findServer(join(dataDir, "new"))).toBeUndefined();
  });

  it("is removed by the process that wrote it only", () => {
    writeAddress(dataDir, { url: "http://127.0.0.1:1", pid: process.pid + 1 });
    removeAddress(dataDir);
    expect(existsSync(join(dataDir, "kindred.address"))).toBe(true);
    writeAddress(dataDir, { url: "http://127.0.0.1:1", pid: process.pid });
    removeAddress(dataDir);
    expect(existsSync(join(dataDir, "kindred.address"))).toBe(false);
  });

  it("counts for nothing where it is missing or broken", async () => {
    expect(readAddress(dataDir)).toBeUndefined();
    for (const text of ["", "{", "null", '{"url":1}']) {
      writeFileSync(join(dataDir, "kindred.address"), text);
      expect(readAddress(dataDir)).toBeUndefined();
      expect(await findServer(dataDir)).toBeUndefined();
    }
  });
});
