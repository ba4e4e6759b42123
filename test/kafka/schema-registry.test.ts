import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startRegistry, type TestRegistry } from "../harness/schema-registry.js";
import { canStart } from "../harness/server-files.js";

const STRING = JSON.stringify({ schema: '"string"' });

describe.skipIf(!canStart("registry"))("a registry of a test's own", () => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(() => registry.stop());

  const subjects = async (): Promise<unknown> => (await fetch(`${registry.url}/subjects`)).json();
  const compatibility = async (): Promise<unknown> => (await fetch(`${registry.url}/config`)).json();

  it("asks for compatible schemas, at the same address and without any schema after a restart", async () => {
    const { url } = registry;
    const headers = { "content-type": "application/vnd.schemaregistry.v1+json" };
    await fetch(`${url}/subjects/a-value/versions`, { method: "POST", headers, body: STRING });
    expect(await subjects()).toEqual(["a-value"]);
    await registry.restart();
    expect(registry.url).toBe(url);
    expect(await subjects()).toEqual([]);
    expect(await compatibility()).toEqual({ compatibilityLevel: "BACKWARD" });
  });

  it("answers nothing while it is paused, and goes on afterwards", async () => {
    registry.pause();
    await expect(fetch(`${registry.url}/subjects`, { signal: AbortSignal.timeout(500) })).rejects.toThrow(/timeout/);
    registry.resume();
    expect(await subjects()).toEqual([]);
  });
});
