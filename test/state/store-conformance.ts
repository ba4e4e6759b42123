import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KeyRange, KeyValueStore, StoreWrite } from "../../schemas/ports/key-value-store.js";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString("latin1");
const put = (key: string, value: string): StoreWrite => ({ type: "put", key: bytes(key), value: bytes(value) });
const del = (key: string): StoreWrite => ({ type: "del", key: bytes(key) });

async function read(store: KeyValueStore, range: KeyRange): Promise<[string, string][]> {
  const pairs: [string, string][] = [];
  for await (const [key, value] of store.iterate(range)) pairs.push([text(key) as string, text(value) as string]);
  return pairs;
}

export interface StoreUnderTest {
  open(): Promise<KeyValueStore>;
  dispose(): Promise<void>;
}

/** What every KeyValueStore does. `make` gives a fresh, empty place whose `open` may be called again after a close. */
export function storeConformance(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} is a KeyValueStore`, () => {
    let place: StoreUnderTest;
    let store: KeyValueStore;
    beforeEach(async () => {
      place = await make();
      store = await place.open();
    });
    afterEach(async () => {
      await store.close();
      await place.dispose();
    });

    it("gives undefined for a missing key, and an empty value for an empty one", async () => {
      await store.batch([put("a", "")]);
      expect(await store.get(bytes("b"))).toBeUndefined();
      expect((await store.get(bytes("a")))?.length).toBe(0);
    });

    it("gets many in the order asked, with undefined for the missing", async () => {
      await store.batch([put("a", "1"), put("c", "3")]);
      expect((await store.getMany(["c", "b", "a", "c"].map(bytes))).map(text)).toEqual(["3", undefined, "1", "3"]);
      expect(await store.getMany([])).toEqual([]);
    });

    it("applies the writes of a batch in order", async () => {
      await store.batch([put("a", "1"), del("a"), put("b", "1"), put("b", "2")], { sync: true });
      expect(await store.get(bytes("a"))).toBeUndefined();
      expect(text(await store.get(bytes("b")))).toBe("2");
    });

    it("writes nothing of a batch with a key it refuses", async () => {
      for (const bad of ["", "\0own"]) {
        await expect(store.batch([put("a", "1"), put(bad, "1")])).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      }
      expect(await read(store, {})).toEqual([]);
    });

    it("takes the values before it returns, so that their memory may be used again", async () => {
      const value = bytes("before").slice();
      const written = store.batch([{ type: "put", key: bytes("a"), value }]);
      value.fill(0);
      await written;
      expect(text(await store.get(bytes("a")))).toBe("before");
    });

    it("iterates a consistent view as of the call, not of the first pull", async () => {
      await store.batch([put("a", "1"), put("b", "1")]);
      const view = store.iterate({});
      await store.batch([put("a", "2"), del("b"), put("c", "2")]);
      const seen: (string | undefined)[] = [];
      for await (const [key, value] of view) seen.push(text(key), text(value));
      expect(seen).toEqual(["a", "1", "b", "1"]);
    });

    it("can leave an iteration early and close", async () => {
      await store.batch(Array.from({ length: 2000 }, (_, i) => put(`k${String(i).padStart(5, "0")}`, "v")));
      for await (const [key] of store.iterate({ gte: bytes("k00500") })) {
        expect(text(key)).toBe("k00500");
        break;
      }
      expect((await read(store, {})).length).toBe(2000);
    });

    it("keeps what was written over a close and an open", async () => {
      await store.batch([put("a", "1"), put("\xff\xff", "2")], { sync: true });
      await store.close();
      store = await place.open();
      expect(await read(store, {})).toEqual([
        ["a", "1"],
        ["\xff\xff", "2"],
      ]);
    });

    it("refuses work after it was closed", async () => {
      await store.close();
      await expect(store.get(bytes("a"))).rejects.toMatchObject({ code: "STORAGE_FAILED" });
      await expect(store.batch([put("a", "1")])).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    });

    it("clears a range, and compacts without losing anything else", async () => {
      await store.batch(["a", "b", "c", "d"].map((key) => put(key, key)));
      await store.clear({ gt: bytes("a"), lt: bytes("d") });
      await store.compact(bytes("a"), bytes("z"));
      expect(await read(store, {})).toEqual([
        ["a", "a"],
        ["d", "d"],
      ]);
    });

    it("orders and bounds any range as unsigned bytes do", async () => {
      const key = fc.uint8Array({ minLength: 1, maxLength: 3 }).map((b) => (b[0] === 0 ? b.map((x, i) => (i === 0 ? 1 : x)) : b));
      const range = fc.record(
        { gt: key, gte: key, lt: key, lte: key, reverse: fc.boolean(), limit: fc.integer({ min: 1, max: 5 }) },
        { requiredKeys: [] },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(key, { maxLength: 20 }), range, async (keys, wanted) => {
          // With both given, RocksDB takes gte and lte alone: the port means one bound a side.
          const { gt, gte, lt, lte, ...rest } = wanted;
          const bounds: KeyRange = { ...(gte ? { gte } : gt ? { gt } : {}), ...(lte ? { lte } : lt ? { lt } : {}), ...rest };
          await store.clear({});
          await store.batch(keys.map((k) => ({ type: "put" as const, key: k, value: k })));
          const inside = keys
            .map((k) => Buffer.from(k))
            .filter((k, i, all) => all.findIndex((other) => other.equals(k)) === i)
            .filter((k) => (bounds.gte ? k.compare(bounds.gte) >= 0 : bounds.gt ? k.compare(bounds.gt) > 0 : true))
            .filter((k) => (bounds.lte ? k.compare(bounds.lte) <= 0 : bounds.lt ? k.compare(bounds.lt) < 0 : true))
            .sort(Buffer.compare);
          if (bounds.reverse === true) inside.reverse();
          const expected = inside.slice(0, bounds.limit ?? inside.length).map((k) => k.toString("hex"));
          const seen: string[] = [];
          for await (const [k] of store.iterate(bounds)) seen.push(Buffer.from(k).toString("hex"));
          expect(seen).toEqual(expected);
        }),
        { numRuns: 60 },
      );
    });
  });
}
