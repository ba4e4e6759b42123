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

it("draws the interval of a difference from where the first model's bar ends", async () => {
  const report = await madeUpReport(["first", "second"]);
  const [figure] = reportHtml(report, "Made up").split("<figcaption>recall@20</figcaption>").slice(1);
  const [left, width] = /<rect x="(\d+)"[^>]* width="([\d.]+)"/.exec(figure!)!.slice(1).map(Number) as [number, number];
  const first = report.models[0]!.u2i["recall@20"]!;
  const { low, high } = report.comparisons.find(
    ({ model, task, metric }) => model === "second" && task === "u2i" && metric === "recall@20",
  )!;
  const [from, to] = /<path d="M([\d.]+) \d+H([\d.]+)/.exec(figure!)!.slice(1).map(Number) as [number, number];
  // Drawn to a tenth of a pixel.
  expect(from).toBeCloseTo(left + Math.max(0, (width * (first + low)) / first), 0);
  expect(to).toBeCloseTo(left + (width * (first + high)) / first, 0);
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
