import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadModel, type ModelDescription, saveModel } from "../../../models/model-folder/model-folder.js";
import { crc32c } from "../../../native/vector-index.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { ItemModel } from "../../../schemas/model.js";

const root = mkdtempSync(join(tmpdir(), "kindred-model-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;
const newPlace = (): string => join(root, `model-${made++}`);

const ODD = ["a", "日本 🎵", 'quo"te\\', "tab\tnew\nline\r", "\u2028", " ", "__proto__", "\0"] as ItemId[];
const matrix = (phase: number, rows = ODD.length, dims = 9): ItemModel["input"] => ({
  dims,
  values: Float32Array.from({ length: rows * dims }, (_, i) => Math.sin(i + phase)),
});
const model: ItemModel = { kind: "item2vec", items: ODD, input: matrix(0), output: matrix(1), score: "dot" };
const description: ModelDescription = {
  seed: 7,
  data: { users: 3, interactions: 12, fingerprint: "ab".repeat(32) },
  settings: { rate: 0.05, optimizer: "adagrad" },
  metrics: { loss: 1.25 },
};
const filesIn = (place: string): Record<string, string> =>
  Object.fromEntries(readdirSync(place).map((name) => [name, readFileSync(join(place, name)).toString("base64")]));

async function saved(of: ItemModel = model): Promise<string> {
  const place = newPlace();
  await saveModel(place, of, description);
  return place;
}

/** A folder with one file changed; its manifest agrees with the change where `honest`. */
async function changed(name: string, change: (bytes: Buffer) => Buffer, honest = false): Promise<string> {
  const place = await saved();
  const bytes = change(readFileSync(join(place, name)));
  writeFileSync(join(place, name), bytes);
  if (honest) {
    const manifest = JSON.parse(readFileSync(join(place, "manifest.json"), "utf8"));
    Object.assign(
      manifest.files.find((file: { name: string }) => file.name === name),
      { bytes: bytes.length, crc32c: crc32c(bytes) },
    );
    writeFileSync(join(place, "manifest.json"), JSON.stringify(manifest));
  }
  return place;
}

const withManifest = (over: Record<string, unknown>): Promise<string> =>
  changed("manifest.json", (bytes) => Buffer.from(JSON.stringify({ ...JSON.parse(bytes.toString()), ...over })));
const withNumber =
  (number: number) =>
  (bytes: Buffer): Buffer => {
    bytes.writeFloatLE(number, bytes.length - 40);
    return bytes;
  };

describe("a model folder", () => {
  it("gives back what was saved, ids of odd characters included", async () => {
    const place = await saved();
    const loaded = await loadModel(place);
    expect(loaded.model).toEqual(model);
    expect(loaded.manifest).toMatchObject({ version: 1, kind: "item2vec", dims: 9, items: 8, score: "dot", ...description });
    expect(Object.keys(filesIn(place)).sort()).toEqual(["input.npy", "items.jsonl", "manifest.json", "output.npy"]);
  });

  it("has the same bytes for the same model, and nothing lies beside it", async () => {
    const [one, two] = [await saved(), await saved()];
    expect(filesIn(one)).toEqual(filesIn(two));
    await saveModel(one, { ...model, score: "cosine" }, description);
    expect((await loadModel(one)).model.score).toBe("cosine");
    expect(readdirSync(root).filter((name) => !/^model-\d+$/.test(name))).toEqual([]);
  });

  it("may be empty", async () => {
    const empty: ItemModel = { ...model, items: [], input: matrix(0, 0), output: matrix(0, 0) };
    expect((await loadModel(await saved(empty))).model).toEqual(empty);
  });

  it("is read by numpy", async () => {
    const place = await saved();
    const python = spawnSync(
      process.execPath,
      [join(import.meta.dirname, "..", "..", "..", "setup", "python.mjs"), "test/requirements.txt"],
      {
        encoding: "utf8",
      },
    );
    const script = "import numpy, sys; a = numpy.load(sys.argv[1]); print(a.dtype, a.shape, a.flags.c_contiguous, a[7][0].item())";
    const { stdout } = spawnSync(python.stdout.trim(), ["-c", script, join(place, "input.npy")], { encoding: "utf8" });
    expect(stdout.trim()).toBe(`float32 (8, 9) True ${model.input.values[63]}`);
  }, 300_000);

  it("has .npy files as numpy's format says: version 1.0, header to 64 bytes, little-endian rows", async () => {
    const bytes = readFileSync(join(await saved(), "input.npy"));
    expect(bytes.toString("latin1", 0, 8)).toBe("\x93NUMPY\x01\x00");
    expect(bytes.readUInt16LE(8)).toBe(128 - 10);
    expect(bytes.toString("latin1", 10, 128)).toMatch(/^\{'descr': '<f4', 'fortran_order': False, 'shape': \(8, 9\), \} *\n$/);
    expect(bytes.length).toBe(128 + 8 * 9 * 4);
    expect(bytes.readFloatLE(128 + 4 * 10)).toBe(model.input.values[10]);
  });

  it.each([
    ["nothing there", async () => newPlace(), /manifest\.json/],
    ["a manifest that is no JSON", () => changed("manifest.json", (bytes) => bytes.subarray(0, 50)), /not JSON/],
    ["a manifest of null", () => changed("manifest.json", () => Buffer.from("null")), /no object/],
    ["another version", () => withManifest({ version: 2 }), /version 2, this program reads 1/],
    ["no version", () => withManifest({ version: undefined }), /version/],
    ["dims that are none", () => withManifest({ dims: 0 }), /dims/],
    ["a score that is none", () => withManifest({ score: "hamming" }), /score/],
    ["metrics that are none", () => withManifest({ metrics: { loss: null } }), /metrics/],
    ["a file that is not listed", () => withManifest({ files: [] }), /files/],
    ["other items than listed", () => withManifest({ items: 9 }), /as large as the manifest says/],
    ["other dims than listed", () => withManifest({ dims: 8 }), /as large as the manifest says/],
    ["one bit more", () => changed("output.npy", (bytes) => bytes.fill(1, 200, 201)), /checksum.*output\.npy/],
    ["a file that is cut", () => changed("input.npy", (bytes) => bytes.subarray(0, -4)), /bytes, not.*input\.npy/],
    ["NaN", () => changed("input.npy", withNumber(Number.NaN), true), /input holds NaN for/],
    ["infinity", () => changed("output.npy", withNumber(Number.NEGATIVE_INFINITY), true), /output holds -Infinity for/],
    ["rows that lack", () => changed("output.npy", (bytes) => bytes.subarray(0, -36), true), /bytes of numbers/],
    ["what is no .npy", () => changed("output.npy", () => Buffer.from("hello"), true), /no \.npy/],
    [
      "doubles",
      () => changed("output.npy", (bytes) => Buffer.from(bytes.toString("latin1").replace("<f4", "<f8"), "latin1"), true),
      /float32/,
    ],
    ["fewer ids than rows", () => changed("items.jsonl", (bytes) => bytes.subarray(bytes.indexOf(10) + 1), true), /as large/],
    ["an id twice", () => changed("items.jsonl", (bytes) => Buffer.from(bytes.toString().replace('" "', '"a"')), true), /twice/],
    ["an id that is none", () => changed("items.jsonl", (bytes) => Buffer.from(bytes.toString().replace('"a"', "12")), true), /line 1/],
    ["an empty id", () => changed("items.jsonl", (bytes) => Buffer.from(bytes.toString().replace('"a"', '""')), true), /1 to 128/],
  ])("is refused with %s", async (_, place, message) => {
    await expect(loadModel(await place())).rejects.toMatchObject({ code: "MODEL_INVALID", message: expect.stringMatching(message) });
  });

  it("is refused where a file lacks", async () => {
    for (const name of ["items.jsonl", "input.npy", "output.npy"]) {
      const place = await saved();
      rmSync(join(place, name));
      await expect(loadModel(place)).rejects.toMatchObject({ code: "MODEL_INVALID", where: join(place, name) });
    }
  });

  it("is not made of what is no model, and leaves nothing", async () => {
    const place = newPlace();
    const wrong: readonly ItemModel[] = [
      { ...model, items: ["a", "a"] as ItemId[], input: matrix(0, 2), output: matrix(0, 2) },
      { ...model, input: matrix(0, 7) },
      { ...model, output: matrix(0, 8, 10) },
      { ...model, output: { dims: 9, values: new Float32Array(72).fill(Number.NaN) } },
    ];
    for (const one of wrong) await expect(saveModel(place, one, description)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(() => readdirSync(place)).toThrow(/ENOENT/);
  });

  it("takes nobody's files away: a folder with something else in it is left alone", async () => {
    const place = newPlace();
    mkdirSync(place);
    writeFileSync(join(place, "thesis.txt"), "years of work");
    await expect(saveModel(place, model, description)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(/thesis/),
    });
    expect(readdirSync(place)).toEqual(["thesis.txt"]);
    await expect(saveModel(join(place, "thesis.txt"), model, description)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("nodes and losses in a folder", () => {
  const vectors = (count: number) => ({ dims: 9, values: Float32Array.from({ length: 9 * count }, (_, i) => i / 7) });
  const nodes = [
    { type: "user", ids: ["u", 'odd "id"\n'], vectors: vectors(2) },
    { type: "../type/ü", ids: ["x"], vectors: vectors(1) },
    { type: "__type_ü", ids: [], vectors: vectors(0) },
  ];
  const losses = [
    { share: 0.5, loss: 2.5 },
    { share: 1, loss: 1.25 },
  ];

  it("come back as they were saved, nodes only where they are asked for; no name leads out of the folder", async () => {
    const place = newPlace();
    await saveModel(place, { ...model, nodes }, { ...description, losses });
    const loaded = await loadModel(place, { nodes: true });
    expect([loaded.model.nodes, loaded.losses]).toEqual([nodes, losses]);
    expect((await loadModel(place)).model.nodes).toBeUndefined();
    expect(readdirSync(place).sort()).toEqual(["input.npy", "items.jsonl", "losses.json", "manifest.json", "nodes", "output.npy"]);
    expect(readdirSync(join(place, "nodes"))).toHaveLength(6);
    expect(readdirSync(join(place, "nodes"))).toEqual(expect.arrayContaining(["user.jsonl", "user.npy"]));
    await saveModel(place, model, description);
    expect(readdirSync(place)).not.toContain("nodes");
  });

  it("are refused where they are damaged, or are none", async () => {
    const place = newPlace();
    const bad = [
      { ...nodes[0]!, vectors: { dims: 9, values: new Float32Array(18).fill(Number.NaN) } },
      { ...nodes[0]!, ids: ["u"] },
    ];
    for (const one of bad)
      await expect(saveModel(place, { ...model, nodes: [one] }, description)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(saveModel(place, { ...model, nodes: [nodes[0]!, nodes[0]!] }, description)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await saveModel(place, { ...model, nodes }, { ...description, losses });
    const bytes = readFileSync(join(place, "nodes", "user.npy"));
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(join(place, "nodes", "user.npy"), bytes);
    await expect(loadModel(place, { nodes: true })).rejects.toMatchObject({
      code: "MODEL_INVALID",
      where: join(place, "nodes", "user.npy"),
    });
    const manifest = readFileSync(join(place, "manifest.json"), "utf8");
    writeFileSync(join(place, "manifest.json"), manifest.replaceAll("nodes/user.npy", "../input.npy"));
    await expect(loadModel(place)).rejects.toMatchObject({ code: "MODEL_INVALID" });
  });
});
