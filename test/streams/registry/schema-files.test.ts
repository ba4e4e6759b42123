import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RegisteredSchema } from "../../../streams/registry/registered-schema.js";
import { SchemaFiles } from "../../../streams/registry/schema-files.js";
import { temporaryDirectory } from "../../harness/kindred-process.js";

const SCHEMA: RegisteredSchema = { type: "AVRO", schema: '"string"', references: [{ name: "a", schema: '"int"' }] };
const REGISTRY = "http://127.0.0.1:8081";

describe("SchemaFiles", () => {
  let place: Awaited<ReturnType<typeof temporaryDirectory>>;
  beforeEach(async () => {
    place = await temporaryDirectory("schemas");
  });
  afterEach(() => place.remove());
  const files = (registry = REGISTRY): SchemaFiles => new SchemaFiles(join(place.path, "schemas"), registry);
  const path = (name: string): string => join(place.path, "schemas", name);

  it("gives back what was written, and leaves nothing else behind", async () => {
    expect(await files().read(7)).toBeUndefined();
    await files().write(7, SCHEMA);
    await files().write(7, SCHEMA);
    expect(await files().read(7)).toEqual(SCHEMA);
    expect(readdirSync(join(place.path, "schemas"))).toEqual(["7.json"]);
  });

  it("knows no id of another registry", async () => {
    await files().write(7, SCHEMA);
    expect(await files("http://127.0.0.1:9999").read(7)).toBeUndefined();
  });

  it("knows the id that a subject's very schema has, however long the name", async () => {
    const subject = `${"t".repeat(249)}-value`;
    await files().writeRegistration(subject, '"string"', 12);
    expect(await files().readRegistration(subject, '"string"')).toBe(12);
    expect(await files().readRegistration(subject, '"int"')).toBeUndefined();
    expect(await files().readRegistration("t-value", '"string"')).toBeUndefined();
    expect(await files("http://127.0.0.1:9999").readRegistration(subject, '"string"')).toBeUndefined();
  });

  it("takes no file that was cut, changed, renamed or made by someone else", async () => {
    await files().write(7, SCHEMA);
    const whole = readFileSync(path("7.json"), "utf8");
    for (const damaged of [
      whole.slice(0, -10),
      whole.replace("string", "stronk"),
      "",
      "null",
      "[]",
      "{}",
      '{"checksum":null,"answer":{}}',
    ]) {
      writeFileSync(path("7.json"), damaged);
      expect(await files().read(7), damaged).toBeUndefined();
    }
    writeFileSync(path("8.json"), whole);
    expect(await files().read(8)).toBeUndefined();
    mkdirSync(path("9.json"));
    expect(await files().read(9)).toBeUndefined();
    await files().write(7, SCHEMA);
    expect(await files().read(7)).toEqual(SCHEMA);
  });
});
