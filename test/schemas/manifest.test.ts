import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { Generation, Offset, Partition } from "../../schemas/ids.js";
import { formatManifest, MANIFEST_VERSION, parseManifest, type ShardManifest } from "../../schemas/manifest.js";

const manifest: ShardManifest = {
  version: MANIFEST_VERSION,
  dims: 64,
  metric: "cosine",
  storage: "float32",
  generation: 2 as Generation,
  savedAt: 1_700_000_000_000,
  positions: new Map([[0 as Partition, 77 as Offset]]),
  shards: [
    {
      rows: 3,
      nodes: 2,
      ids: { name: "shard-0.ab.ids", bytes: 40, crc32c: 1 },
      prefix: "shard-0.ab",
      files: [{ name: "shard-0.ab.rows", bytes: 9, crc32c: 4_294_967_295 }],
    },
  ],
};
const corrupt = expect.objectContaining({ code: "SHARD_CORRUPT", message: expect.stringContaining("manifest.json") });

it("reads what it wrote", () => {
  expect(parseManifest(formatManifest(manifest), "manifest.json")).toEqual(manifest);
});

it("refuses a manifest with any one character changed or cut off", () => {
  const text = formatManifest(manifest);
  const body = text.trimEnd().length;
  fc.assert(
    fc.property(fc.nat(body - 1), fc.constantFrom("0", "1", "x", '"', "}"), (at, other) => {
      fc.pre(text[at] !== other && !/\s/.test(text[at] as string));
      expect(() => parseManifest(text.slice(0, at) + other + text.slice(at + 1), "manifest.json")).toThrow(corrupt);
      expect(() => parseManifest(text.slice(0, at), "manifest.json")).toThrow(corrupt);
    }),
  );
});

it("names the version it cannot read", () => {
  const other = formatManifest({ ...manifest, version: 9 as 1 });
  expect(() => parseManifest(other, "manifest.json")).toThrow(/version 9/);
});

it("refuses names that lead out of the directory", () => {
  for (const name of ["../x", "shard-0.ab/../../x", "/etc/passwd", ""]) {
    const [shard] = manifest.shards;
    const evil = { ...manifest, shards: [{ ...(shard as object), ids: { name, bytes: 1, crc32c: 1 } }] } as unknown as ShardManifest;
    expect(() => parseManifest(formatManifest(evil), "manifest.json")).toThrow(corrupt);
  }
});
