import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { HistoriesBuilder, popularityOf, readHistories } from "../../../models/training-set/histories.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { Histories } from "../../../schemas/model.js";

const directory = mkdtempSync(join(tmpdir(), "kindred-histories-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function fileOf(content: string | Uint8Array, name = "train.txt"): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const sets = ({ users, items, starts, rows }: Histories): Record<string, string[]> =>
  Object.fromEntries(users.map((user, at) => [user, [...rows.subarray(starts[at], starts[at + 1])].map((row) => items[row]!)]));

describe("readHistories", () => {
  it("reads a user and items a line, and numbers items as they first come", async () => {
    const histories = await readHistories(fileOf("u1 a b c\nu2 c d\n"));
    expect(histories).toEqual({
      items: ["a", "b", "c", "d"],
      users: ["u1", "u2"],
      starts: Uint32Array.of(0, 3, 5),
      rows: Uint32Array.of(0, 1, 2, 2, 3),
    });
  });

  it.each([
    ["CRLF, and no end of the last line", "u1 a b\r\nu2 c\r\nu3 d", { u1: ["a", "b"], u2: ["c"], u3: ["d"] }],
    ["tabs and several spaces, also at the ends", " u1\ta  b \t\nu2   c\n", { u1: ["a", "b"], u2: ["c"] }],
    ["blank lines", "\n\r\nu1 a b\n   \nu2 c\n\n", { u1: ["a", "b"], u2: ["c"] }],
    ["a byte order mark", "\ufeffu1 a b\n", { u1: ["a", "b"] }],
    ["an item twice", "u1 a b a a\n", { u1: ["a", "b"] }],
    ["a user on two lines", "u1 a b\nu2 b\nu1 b c\n", { u1: ["a", "b", "c"], u2: ["b"] }],
    ["users without items, and with one", "u1\nu2 \nu3 a\n", { u1: [], u2: [], u3: ["a"] }],
    [
      "odd characters",
      'ü"1 song:42 日本 🎵 a,b {"x":1} \\n\u00a0z %20 __proto__\n',
      { 'ü"1': ["song:42", "日本", "🎵", "a,b", '{"x":1}', "\\n\u00a0z", "%20", "__proto__"] },
    ],
  ])("takes %s", async (_, text, wanted) => {
    expect(sets(await readHistories(fileOf(text)))).toEqual(wanted);
    expect(sets(await readHistories(fileOf(gzipSync(text), "train.gz")))).toEqual(wanted);
  });

  it("reads lines that are cut across chunks of the file", async () => {
    const text = Array.from(
      { length: 30 },
      (_, u) => `u${u} ${Array.from({ length: 20_000 }, (_, i) => `ü${(u * 7 + i) % 25_000}`).join(" ")}`,
    ).join("\n");
    const histories = await readHistories(fileOf(text));
    expect(histories.users).toHaveLength(30);
    expect(histories.items).toHaveLength(20_000 + 29 * 7);
    expect(histories.rows).toHaveLength(30 * 20_000);
    expect(new Set(histories.items).size).toBe(histories.items.length);
  });

  it.each([
    ["an empty file", "", "FILE_FORMAT", /no item/],
    ["users only", "u1\nu2\n", "FILE_FORMAT", /no item/],
    ["what is not UTF-8", Buffer.from("u1 a\nu2 \xff\n", "latin1"), "FILE_LINE", /line 2/],
    ["an id that is too long", `u1 a\nu2 b ${"x".repeat(129)}\n`, "FILE_LINE", /128 characters.*line 2/],
    ["half of a gzip file", gzipSync("u1 a b\n".repeat(1000)).subarray(0, 40), "FILE_TRUNCATED", /can't be read/],
  ])("refuses %s", async (_, content, code, message) => {
    await expect(readHistories(fileOf(content))).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it("refuses what is no file", async () => {
    await expect(readHistories(join(directory, "none"))).rejects.toMatchObject({ code: "FILE_FORMAT" });
    await expect(readHistories(directory)).rejects.toMatchObject({ code: "FILE_FORMAT" });
  });
});

describe("HistoriesBuilder", () => {
  it("makes what sets make, however users come in portions and items repeat", () => {
    const item = fc.integer({ min: 0, max: 40 }).map((i) => `an item with a long name ${i}` as ItemId);
    const portions = fc.array(fc.tuple(fc.constantFrom("u", "v", "w", "__proto__"), fc.array(item, { maxLength: 12 })));
    fc.assert(
      fc.property(portions, (all) => {
        const builder = new HistoriesBuilder();
        const wanted = new Map<string, Set<string>>();
        for (const [user, items] of all) {
          builder.add(user, items);
          wanted.set(user, new Set([...(wanted.get(user) ?? []), ...items]));
        }
        const built = builder.build();
        expect(built.items).toEqual([...new Set(all.flatMap(([, items]) => items))]);
        expect(built.users).toEqual([...wanted.keys()]);
        expect(Object.values(sets(built))).toEqual([...wanted.values()].map((own) => [...own]));
        expect(built.rows.length).toBe(built.starts.at(-1));
      }),
    );
  });
});

describe("popularityOf", () => {
  it("counts users", () => {
    const builder = new HistoriesBuilder();
    builder.add("u", ["a", "b"] as ItemId[]);
    builder.add("v", ["b"] as ItemId[]);
    expect(popularityOf(builder.build())).toEqual(Uint32Array.of(1, 2));
  });
});
