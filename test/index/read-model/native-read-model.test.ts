import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { NativeReadModel } from "../../../index/read-model/native-read-model.js";
import { KindredError } from "../../../schemas/errors.js";
import { runReadModelConformance } from "./conformance.js";
import { item, replay, row, user } from "./random-batches.js";

/** BLAKE2b-128 of the header `KINDREDM`, version 2. */
const NEWER_HEADER_SUM = Buffer.from("7cde99866c729b0e33100e51485e33cc", "hex");
const temporary = (): Promise<string> => mkdtemp(join(tmpdir(), "kindred-read-model-"));

runReadModelConformance("NativeReadModel", {
  open: (limits) => NativeReadModel.create(limits),
  close: (model) => (model as NativeReadModel).close(),
  async reopen(model, limits) {
    const directory = await temporary();
    try {
      await (model as NativeReadModel).save(directory);
      return (await NativeReadModel.open(directory, limits))!;
    } finally {
      await rm(directory, { recursive: true });
    }
  },
});

describe("a saved read model", () => {
  let directory: string;
  let model: NativeReadModel;
  const file = (): string => join(directory, "read-model.bin");
  beforeEach(async () => {
    directory = await temporary();
    model = NativeReadModel.create();
    const rows = [row("u:1", { a: 1, b: -2 }, 77n), row("u:2", { a: 3 }, null)];
    replay(model, { kind: "apply", partition: 1, rows, erased: [] });
    replay(model, { kind: "info", items: ["a"], json: ['{"item":"a"}'] });
    replay(model, { kind: "applied", partition: 1, offset: 12, eventTime: 34 });
    await model.save(directory);
  });
  afterEach(async () => {
    model.close();
    await rm(directory, { recursive: true });
  });

  test("is one file, replaced as a whole, and another thread's door sees what was opened", async () => {
    await model.save(directory);
    expect(await readdir(directory)).toEqual(["read-model.bin"]);
    const opened = (await NativeReadModel.open(directory))!;
    const attached = NativeReadModel.attach(opened.handle);
    opened.close();
    expect(attached.applied()).toEqual({ position: new Map([[1, 12]]), eventTime: 34 });
    expect(attached.user(user("u:1"))).toEqual(model.user(user("u:1")));
    expect(attached.item(item("a"))).toEqual({ ordinal: 0, item: "a", users: 2, infoJson: '{"item":"a"}' });
    attached.close();
  });

  test("is undefined where nothing was saved", async () => {
    await mkdir(join(directory, "empty"));
    expect(await NativeReadModel.open(join(directory, "empty"))).toBeUndefined();
    expect(await NativeReadModel.open(join(directory, "not there"))).toBeUndefined();
  });

  test("that is cut short anywhere is refused as damaged", async () => {
    const whole = await readFile(file());
    for (let length = 0; length < whole.length; length++) {
      await writeFile(file(), whole.subarray(0, length));
      await expect(NativeReadModel.open(directory)).rejects.toMatchObject({ code: "SHARD_CORRUPT" });
    }
  });

  test("with any byte changed, or bytes added, is refused as damaged", async () => {
    const whole = await readFile(file());
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed[at]! ^= 0x21;
      await writeFile(file(), changed);
      await expect(NativeReadModel.open(directory)).rejects.toMatchObject({ code: "SHARD_CORRUPT" });
    }
    await writeFile(file(), Buffer.concat([whole, Buffer.alloc(8)]));
    await expect(NativeReadModel.open(directory)).rejects.toBeInstanceOf(KindredError);
  });

  test("of a newer version is refused by that name", async () => {
    const newer = Buffer.from(await readFile(file()));
    newer.writeUInt32LE(2, 8);
    // The header's own checksum: the version was raised by who wrote it, not by chance.
    newer.set(NEWER_HEADER_SUM, 16);
    await writeFile(file(), newer);
    await expect(NativeReadModel.open(directory)).rejects.toMatchObject({ code: "DIRECTORY_NEWER" });
  });

  test("cannot be written into a directory that is not there; the error says so", async () => {
    await expect(model.save(join(directory, "not", "there"))).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  });

  test("taken while batches go on is of one moment: what it lacks is after its position", async () => {
    const users = Array.from({ length: 2000 }, (_, i) => `s:${i}`);
    const publish = (n: number) => {
      replay(model, {
        kind: "apply",
        partition: 0,
        rows: users.map((id) => row(id, { [`i:${n % 7}`]: n }, BigInt(n), { offset: n })),
        erased: [],
      });
      replay(model, { kind: "applied", partition: 0, offset: n, eventTime: n });
    };
    publish(1);
    let saved = false;
    const saving = model.save(directory).then(() => (saved = true));
    let n = 1;
    while (!saved) {
      publish(++n);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await saving;
    const opened = (await NativeReadModel.open(directory))!;
    const at = opened.applied().position.get(0 as never)!;
    const offsets = new Set(users.map((id) => opened.user(user(id))!.offset));
    expect(offsets.size).toBe(1);
    expect([...offsets][0]).toBeGreaterThanOrEqual(at);
    expect(opened.item(item(`i:${[...offsets][0]! % 7}`))?.users).toBe(2000);
    opened.close();
  });
});
