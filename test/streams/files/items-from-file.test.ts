import { describe, expect, it } from "vitest";
import type { ItemInfo } from "../../../schemas/item.js";
import { parseAssignments } from "../../../streams/files/column-map.js";
import { ITEM_FIELDS } from "../../../streams/files/item-rows.js";
import { type ItemsFileOptions, itemsFromFile } from "../../../streams/files/items-from-file.js";
import { JournalItems } from "../../../streams/journal/journal-items.js";
import { MemoryStore } from "../../harness/memory-store.js";
import { temporaryFiles } from "./temporary-files.js";

const write = temporaryFiles();
const mapOf = (map = "", set = "") => ({
  columns: parseAssignments(map, ITEM_FIELDS, "--map"),
  constants: parseAssignments(set, ITEM_FIELDS, "--set"),
});

async function importInto(
  items: JournalItems,
  content: string,
  options: ItemsFileOptions,
): Promise<{ all: ItemInfo[]; rejected: number[] }> {
  const rejected: number[] = [];
  for await (const batch of itemsFromFile(await write("items", content), { stored: (ids) => items.getMany(ids), ...options })) {
    await items.put(batch.items);
    rejected.push(...batch.rejected.map(({ line }) => line));
  }
  const all: ItemInfo[] = [];
  for await (const info of items.all()) all.push(info);
  return { all, rejected };
}

describe("itemsFromFile", () => {
  it("gathers the tags of an item over its rows, those named most often first, in one batch or in many", async () => {
    const rows = ["52\t13", "51\t7", "52\t15", "52\t13", "51\t\t", "52\t", "52\t18", "52\t15", "52\t15"];
    const file = `artistID\ttagID\tday\n${rows.join("\n")}\n`;
    for (const batchItems of [1, 50_000]) {
      const { all, rejected } = await importInto(new JournalItems(new MemoryStore()), file, {
        format: "tsv",
        map: mapOf("item=artistID,tags=tagID", "type=artist"),
        batchItems,
      });
      expect(all).toEqual([
        { item: "51", type: "artist", tags: ["7"] },
        { item: "52", type: "artist", tags: ["15", "13", "18"], tagWeights: [3, 2, 1] },
      ]);
      expect(rejected).toEqual([]);
    }
  });

  it("keeps at most 64 tags of an item", async () => {
    const file = `item,tags\n${Array.from({ length: 200 }, (_, i) => `song:1,t${i}\n${i >= 100 && i < 110 ? `song:1,t${i}\n` : ""}`).join("")}`;
    const { all } = await importInto(new JournalItems(new MemoryStore()), file, { format: "csv", map: mapOf() });
    expect(all[0]?.tags).toHaveLength(64);
    expect(all[0]?.tags?.slice(0, 11)).toEqual([...Array.from({ length: 10 }, (_, i) => `t${100 + i}`), "t0"]);
  });

  it("leaves fields alone that a file does not give, and replaces those that it gives", async () => {
    const items = new JournalItems(new MemoryStore());
    await importInto(items, "item,title,creators\nsong:1,One,Ann; Bob |Cid\nsong:2,Two,\n", { format: "csv", map: mapOf() });
    const { all } = await importInto(items, "item,tags,creators\nsong:1,rock;jazz,Dan\n", { format: "csv", map: mapOf() });
    expect(all).toEqual([
      { item: "song:1", type: "song", title: "One", creators: ["Dan"], tags: ["rock", "jazz"] },
      { item: "song:2", type: "song", title: "Two" },
    ]);
  });

  it("adds up what tags weigh, and forgets the weights of tags that an import replaces", async () => {
    const items = new JournalItems(new MemoryStore());
    const lines = [
      '{"item":"song:1","tags":["x","y"],"tagWeights":[2,0.5]}',
      '{"item":"song:1","tags":["y"]}',
      '{"item":"song:2","tags":["x"],"tagWeights":[1,2]}',
    ];
    const first = await importInto(items, `${lines.join("\n")}\n`, { format: "ndjson", map: mapOf() });
    expect(first).toEqual({ all: [{ item: "song:1", type: "song", tags: ["x", "y"], tagWeights: [2, 1.5] }], rejected: [3] });
    const titled = await importInto(items, "item,title\nsong:1,One\n", { format: "csv", map: mapOf() });
    expect(titled.all[0]).toMatchObject({ title: "One", tagWeights: [2, 1.5] });
    const { all } = await importInto(items, "item,tags,tagWeights\nsong:1,z;x,\nsong:2,a;b,4;1\n", { format: "csv", map: mapOf() });
    expect(all).toEqual([
      { item: "song:1", type: "song", title: "One", tags: ["z", "x"] },
      { item: "song:2", type: "song", tags: ["a", "b"], tagWeights: [4, 1] },
    ]);
  });

  it("reads JSON lines, splits where it is told to, and reports rows that say nothing usable by line", async () => {
    const lines = [
      '{"item":"song:1","title":"A;B","tags":["x","y"]}',
      '{"item":"noprefix"}',
      '{"title":"no item"}',
      "{",
      '{"item":"song:2","tags":"a/b;c"}',
    ];
    const { all, rejected } = await importInto(new JournalItems(new MemoryStore()), `${lines.join("\n")}\n`, {
      format: "ndjson",
      map: mapOf(),
      separators: "/",
    });
    expect(all).toEqual([
      { item: "song:1", type: "song", title: "A;B", tags: ["x", "y"] },
      { item: "song:2", type: "song", tags: ["a", "b;c"] },
    ]);
    expect(rejected).toEqual([2, 3, 4]);
  });
});
