import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { Compile } from "typebox/compile";
import { describe, expect, it } from "vitest";
import { BEHAVIOUR_EVENT_AVRO, ITEM_INFO_AVRO } from "../../schemas/avro.js";
import { parseEvent } from "../../schemas/event.js";
import { parseItemInfo } from "../../schemas/item.js";

const read = (name: string): string => readFileSync(join(import.meta.dirname, "../../schemas", name), "utf8");
const nameOf = ({ name }: { readonly name: string }): string => name;

const PAIRS = [
  ["behaviour-event", BEHAVIOUR_EVENT_AVRO],
  ["item-info", ITEM_INFO_AVRO],
] as const;

describe("the schemas for producers", () => {
  it.each(PAIRS)("%s.avsc is what the journal writes", (name, avro) => {
    expect(JSON.parse(read(`${name}.avsc`))).toEqual(avro);
  });

  it.each(PAIRS)("%s has the same fields as Avro, JSON Schema and Protobuf", (name, avro) => {
    const fields: readonly { readonly name: string }[] = avro.fields;
    const json = JSON.parse(read(`${name}.schema.json`)) as { properties: Record<string, unknown> };
    expect(Object.keys(json.properties)).toEqual(fields.map(nameOf));
    const proto = [...read(`${name}.proto`).matchAll(/^ {2}(?:optional |repeated )?\w+ (\w+) = (\d+);$/gm)].map(([, field, number]) => [
      field,
      Number(number),
    ]);
    expect(proto).toEqual(fields.map((field, i) => [field.name, i + 1]));
  });

  const someText = fc.oneof(
    fc.string({ maxLength: 3 }),
    fc.constant("x".repeat(64)),
    fc.constant("x".repeat(65)),
    fc.constant("x".repeat(128)),
    fc.constant("x".repeat(129)),
  );
  const optionalText = fc.option(fc.oneof(someText, fc.integer()), { nil: null });

  it("the JSON Schema of an event takes what parseEvent takes", () => {
    const check = Compile(JSON.parse(read("behaviour-event.schema.json")));
    const anyTs = fc.oneof(
      fc.integer({ min: -5, max: 2e12 }),
      fc.constantFrom("2020-01-01T00:00:00Z", "2020-01-01T00:00:00.5+02:00", "2020-01-01", "now"),
    );
    const raw = fc.record(
      {
        user: someText,
        item: someText,
        action: fc.constant("play"),
        ts: anyTs,
        id: optionalText,
        type: optionalText,
        scene: optionalText,
        value: fc.option(fc.oneof(fc.integer({ min: -2, max: 9 }), fc.constant("1")), { nil: null }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(raw, (event) => {
        expect(check.Check(event)).toBe(parseEvent(event, { actions: new Set(["play"]), latestTs: 4e12 }).ok);
      }),
      { numRuns: 500 },
    );
  });

  it("the JSON Schema of an item takes what parseItemInfo takes, but for the type that an id without prefix needs", () => {
    const check = Compile(JSON.parse(read("item-info.schema.json")));
    const labels = fc.option(
      fc.oneof(fc.array(someText, { maxLength: 3 }), fc.constant(Array.from({ length: 65 }, (_, i) => `t${i}`)), fc.constant("t")),
      { nil: null },
    );
    const raw = fc.record(
      {
        item: someText.map((id) => (id === "" ? id : `s:${id}`)),
        type: optionalText,
        title: optionalText,
        creators: labels,
        tags: labels,
        scene: optionalText,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(raw, (info) => {
        expect(check.Check(info)).toBe(parseItemInfo(info).ok);
      }),
      { numRuns: 500 },
    );
  });
});
