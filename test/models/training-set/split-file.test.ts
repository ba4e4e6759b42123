import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readHistories } from "../../../models/training-set/histories.js";
import { writeHistories } from "../../../models/training-set/split-file.js";
import type { ItemId } from "../../../schemas/ids.js";
import { historiesOf } from "../evaluation/made-up-split.js";

const directory = mkdtempSync(join(tmpdir(), "kindred-split-file-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it("writes what readHistories reads, and the same bytes for the same histories", async () => {
  const many = Array.from({ length: 2500 }, (_, u) => [`u${u}`, [`i${u % 7}`, `i${(u % 7) + 1 + (u % 3)}`]] as const);
  const histories = historiesOf({ ...Object.fromEntries(many), 'ü"1': ["song:42", "日本", "\u00a0z", "__proto__"], idle: [] });
  const [one, two] = [join(directory, "one.txt.gz"), join(directory, "two.txt.gz")];
  await writeHistories(one, histories);
  await writeHistories(two, histories);
  expect(await readHistories(one)).toEqual(histories);
  expect(readFileSync(one).equals(readFileSync(two))).toBe(true);
  expect(readdirSync(directory).sort()).toEqual(["one.txt.gz", "two.txt.gz"]);
});

it.each(["two words", "a\ttab", "two\nlines", ""])("refuses %j, which would be read as something else", async (id) => {
  const bad = { ...historiesOf({ u: ["a"] }), items: [id as ItemId] };
  await expect(writeHistories(join(directory, "bad.gz"), bad)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await expect(writeHistories(join(directory, "bad.gz"), { ...bad, items: ["a" as ItemId], users: [id] })).rejects.toThrow("split file");
});

it("says where it can't write, and leaves nothing", async () => {
  await expect(writeHistories(join(directory, "none", "x.gz"), historiesOf({ u: ["a"] }))).rejects.toMatchObject({
    code: "STORAGE_FAILED",
  });
  expect(readdirSync(directory)).not.toContain("none");
});
