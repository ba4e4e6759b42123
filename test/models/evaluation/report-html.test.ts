import { expect, it } from "vitest";
import { reportHtml } from "../../../models/evaluation/report-html.js";
import { madeUpReport } from "./made-up-report.js";

const EVIL = `<script>alert("1")</script> & 'more'`;

/** Elements that are opened and closed in order; void ones and those that close themselves aside. */
function unbalanced(html: string): string[] {
  const open: string[] = [];
  for (const [, close, name, self] of html.matchAll(/<(\/?)([a-z0-9]+)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (self === "/" || name === "meta") continue;
    if (close === "") open.push(name!);
    else if (open.pop() !== name) return [`</${name}>`];
  }
  return open;
}

it("has every model's figures, and intervals where there is something to compare with", async () => {
  const report = await madeUpReport(["first", "second"]);
  const html = reportHtml(report, "Made up");
  for (const { name, u2i } of report.models) {
    const rows = html.split("<tr>").filter((row) => row.startsWith(`<td>${name}</td>`));
    const cells = rows.flatMap((row) => [...row.matchAll(/<td[^>]*>([\d.]+)\*?<\/td>/g)].map(([, cell]) => cell));
    for (const value of Object.values(u2i)) if (value !== null) expect(cells).toContain(value.toFixed(4));
  }
  // Whatever is compared is shown, but for the precision of i2i, which says what its recall says.
  const compared = report.comparisons.filter(({ task, metric }) => task !== "i2i" || !metric.startsWith("precision"));
  expect([...html.matchAll(/class="whisker"/g)]).toHaveLength(compared.length);
});

it("draws each interval around the end of its bar", async () => {
  const html = reportHtml(await madeUpReport(["first", "second"]), "Made up");
  const bars = [
    ...html.matchAll(/<rect x="(\d+)"[^>]* width="([\d.]+)"[^>]*><title>[^<]*<\/title><\/rect><path d="M([\d.]+) \d+H([\d.]+)/g),
  ];
  expect(bars.length).toBeGreaterThan(10);
  for (const [, x, width, from, to] of bars) {
    const end = Number(x) + Number(width);
    // Drawn to a tenth of a pixel.
    expect(Number(from)).toBeLessThanOrEqual(end + 0.1);
    expect(Number(to)).toBeGreaterThanOrEqual(end - 0.1);
  }
});

it("is one page of its own: no script, nothing from anywhere, names as text", async () => {
  const html = reportHtml(await madeUpReport([EVIL, "second"]), EVIL);
  expect(html).not.toMatch(/<script|<link|<iframe|<img|\ssrc=|\shref=|url\(|@import|https?:/);
  expect(html).toContain("<title>&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;more&#39;</title>");
  expect(unbalanced(html)).toEqual([]);
});

it("shows cases and pictures where they are given", async () => {
  const cases = [{ title: EVIL, given: ["x"], givenCount: 1, lists: [{ model: EVIL, items: [{ title: EVIL, hit: true }] }] }];
  const pictures = [{ model: EVIL, points: [{ title: EVIL, x: 0, y: 0, segment: "head" as const }] }];
  const html = reportHtml(await madeUpReport(["first", "second"], 0), "Made up", { cases, pictures });
  expect(html).toContain("<circle");
  expect(html).toContain("<ol><li><b>");
  expect(html).not.toContain("<script");
  expect(unbalanced(html)).toEqual([]);
});

it("has no table of differences where none were looked for", async () => {
  const html = reportHtml(await madeUpReport(["first", "second"], 0), "Made up");
  expect(html).not.toContain("<details>");
  expect(html).not.toContain('class="whisker"');
});
