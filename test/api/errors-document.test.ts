import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { ERRORS } from "../../schemas/errors.js";

const ROW = /^\| `([A-Z_]+)` \| (\d{3}) \| (yes|no) \| (.+) \|$/;

it("docs/ERRORS.md lists exactly the codes of schemas/errors.ts, as they are", () => {
  const text = readFileSync(new URL("../../docs/ERRORS.md", import.meta.url), "utf8");
  const listed = text.split("\n").flatMap((line) => {
    const [, code, status, again, title] = ROW.exec(line) ?? [];
    return code === undefined ? [] : [[code, { status: Number(status), canRetry: again === "yes", title }]];
  });
  expect(new Set(listed.map(([code]) => code)).size).toBe(listed.length);
  expect(Object.fromEntries(listed)).toEqual(ERRORS);
});
