import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { KindredError } from "../../../schemas/errors.js";
import type { RegisteredSchema } from "../../../streams/registry/registered-schema.js";
import { type KeptSchemas, SchemaCache, type SchemaCacheOptions } from "../../../streams/registry/schema-cache.js";

const SCHEMA: RegisteredSchema = { type: "JSON", schema: "{}", references: [] };
const DOWN = new KindredError("REGISTRY_FAILED", "it does not answer");
const ever = new AbortController().signal;
const code = (expected: string) => expect.objectContaining({ code: expected });

/** A registry that answers as it is told. */
class MadeUpRegistry {
  readonly shown = "http://registry";
  readonly asked: number[] = [];
  known = new Map<number, RegisteredSchema>();
  failing: (id: number) => Error | undefined = () => undefined;

  async schemaOf(id: number): Promise<RegisteredSchema | undefined> {
    this.asked.push(id);
    await sleep(1);
    const error = this.failing(id);
    if (error !== undefined) throw error;
    return this.known.get(id);
  }
}

function made(options: Partial<SchemaCacheOptions> = {}): { registry: MadeUpRegistry; cache: SchemaCache; warnings: string[] } {
  const registry = new MadeUpRegistry();
  registry.known.set(1, SCHEMA).set(2, SCHEMA);
  const warnings: string[] = [];
  const log = { warn: (_: object, message: string) => void warnings.push(message) };
  const backoff = { initialMs: 2, maxMs: 8 };
  return { registry, warnings, cache: new SchemaCache({ source: registry, log, backoff, ...options }) };
}

describe("SchemaCache", () => {
  it("asks once for each id, however many wait for it", async () => {
    const { registry, cache } = made();
    await Promise.all([cache.obtain([1, 2], ever), cache.obtain([2, 1], ever), cache.obtain([1], ever)]);
    await cache.obtain([1, 2], ever);
    expect(registry.asked).toEqual([1, 2]);
    expect(cache.get(1)).toBe(cache.get(1));
    expect(cache.stats()).toEqual({ waiting: 0, fetches: 2, failures: 0 });
  });

  it("takes the registry's word that there is no such id, for a while", async () => {
    const { registry, cache } = made({ refusedMs: 30 });
    await cache.obtain([9, 1], ever);
    expect(() => cache.get(9)).toThrow(code("UNKNOWN_SCHEMA"));
    await cache.obtain([9], ever);
    expect(registry.asked).toEqual([9, 1]);
    await sleep(40);
    // What is read from it meanwhile is still refused: whoever decodes without waiting learns nothing new.
    expect(() => cache.get(9)).toThrow(code("UNKNOWN_SCHEMA"));
    registry.known.set(9, SCHEMA);
    await cache.obtain([9], ever);
    expect(cache.get(9)).toBeDefined();
  });

  it("waits for a registry that is away, and counts it", async () => {
    const { registry, cache, warnings } = made();
    registry.failing = () => DOWN;
    let settled = false;
    const waiting = cache.obtain([1, 2], ever).then(() => {
      settled = true;
    });
    await sleep(60);
    expect(settled).toBe(false);
    expect(() => cache.get(1)).toThrow(code("REGISTRY_FAILED"));
    const { failures, fetches, waiting: ids } = cache.stats();
    expect([ids, failures > 3, fetches >= failures, warnings.length]).toEqual([2, true, true, failures]);
    registry.failing = () => undefined;
    await waiting;
    expect([cache.get(1), cache.get(2), cache.stats().waiting]).toEqual([expect.anything(), expect.anything(), 0]);
  });

  it("lets no id that the registry chokes on hold up the others", async () => {
    const { registry, cache } = made();
    registry.failing = (id) => (id === 5 ? DOWN : undefined);
    const stop = new AbortController();
    const choked = cache.obtain([5], stop.signal);
    await cache.obtain([1, 2], ever);
    stop.abort(new Error("enough"));
    await expect(choked).rejects.toThrow("enough");
    const { length } = registry.asked;
    await sleep(40);
    // Nobody waits for it any more, so nobody asks.
    expect(registry.asked.length).toBeLessThanOrEqual(length + 1);
    expect(cache.stats().waiting).toBe(0);
  });

  it("goes on for those who wait when one of them leaves", async () => {
    const { registry, cache } = made();
    registry.failing = () => DOWN;
    const stop = new AbortController();
    const [leaves, stays] = [cache.obtain([1], stop.signal), cache.obtain([1], ever)];
    await sleep(5);
    stop.abort();
    await expect(leaves).rejects.toThrow();
    registry.failing = () => undefined;
    await stays;
    expect(cache.get(1)).toBeDefined();
  });

  it("refuses a schema that can never be used, without waiting", async () => {
    const { registry, cache } = made();
    registry.failing = () => new KindredError("UNKNOWN_SCHEMA", "it refers to what is not there");
    await cache.obtain([1], ever);
    expect(() => cache.get(1)).toThrow(/refers to what is not there/);
  });

  it("knows without asking what no registry gives", async () => {
    const { registry, cache } = made();
    await cache.obtain([0, 2 ** 31, 2 ** 32 - 1], ever);
    expect(registry.asked).toEqual([]);
    for (const id of [0, 2 ** 31]) expect(() => cache.get(id)).toThrow(code("UNKNOWN_SCHEMA"));
  });

  it("takes what is kept before it asks, and keeps what it was told", async () => {
    const files = new Map<number, RegisteredSchema>([[3, SCHEMA]]);
    const kept: KeptSchemas = { read: async (id) => files.get(id), write: async (id, schema) => void files.set(id, schema) };
    const { registry, cache } = made({ kept });
    registry.failing = (id) => (id === 1 ? undefined : DOWN);
    await cache.obtain([3, 1], ever);
    expect(cache.get(3)).toBeDefined();
    expect([...files.keys()]).toEqual([3, 1]);
  });

  it("goes on where nothing can be kept", async () => {
    const full = async (): Promise<never> => {
      throw new Error("no space");
    };
    const { cache, warnings } = made({ kept: { read: async () => undefined, write: full } });
    await cache.obtain([1], ever);
    expect(cache.get(1)).toBeDefined();
    expect(warnings).toEqual([expect.stringContaining("cannot be kept")]);
  });

  it("lets everybody go when it is closed, and nobody wait after", async () => {
    const { registry, cache } = made();
    registry.failing = () => DOWN;
    const waiting = cache.obtain([1], ever);
    await sleep(3);
    cache.close();
    await expect(waiting).rejects.toThrow(code("NOT_READY"));
    await expect(cache.obtain([2], ever)).rejects.toThrow(code("NOT_READY"));
  });

  it("holds a flood of ids that are none in bounded memory, and still knows the good ones", async () => {
    const { registry, cache } = made({ refusedMs: 60_000 });
    registry.schemaOf = async (id) => registry.known.get(id);
    await cache.obtain([1], ever);
    for (let from = 1_000; from < 150_000; from += 16_384)
      await cache.obtain(
        Array.from({ length: 16_384 }, (_, i) => from + i),
        ever,
      );
    // The newest are known not to be there; the oldest would be asked for again.
    expect([cache.isSettled(149_000), cache.isSettled(1_000), cache.isSettled(1)]).toEqual([true, false, true]);
  });
});
