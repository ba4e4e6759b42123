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
  // Whatever is compared is shown.
  expect([...html.matchAll(/class="whisker"/g)]).toHaveLength(report.comparisons.length);
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

it("draws the losses of each model that has them, from the first to the last", async () => {
  const report = await madeUpReport(["first", "second"], 0);
  const losses = [0, 0.5, 1].map((share) => ({ share, loss: 4 - 3 * share }));
  const html = reportHtml({ ...report, models: report.models.map((model, m) => (m === 1 ? { ...model, losses } : model)) }, "Made up");
  const lines = [...html.matchAll(/<polyline points="([^"]+)"/g)].map(([, points]) =>
    points!.split(" ").map((xy) => xy.split(",").map(Number)),
  );
  expect(lines).toHaveLength(1);
  const [from, middle, to] = lines[0] as [number[], number[], number[]];
  // Downwards, which is where y grows; the middle halfway.
  expect(to[1]).toBeGreaterThan(from[1]!);
  expect(middle[0]).toBeCloseTo((from[0]! + to[0]!) / 2, 1);
  expect(middle[1]).toBeCloseTo((from[1]! + to[1]!) / 2, 1);
  expect(html).toContain("<h2>loss while training</h2>");
});

it("has no table of differences where none were looked for", async () => {
  const html = reportHtml(await madeUpReport(["first", "second"], 0), "Made up");
  expect(html).not.toContain("<details>");
  expect(html).not.toContain('class="whisker"');
});
