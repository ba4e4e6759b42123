import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Illustrations } from "../../../models/evaluation/report-html.js";
import { reportHtml } from "../../../models/evaluation/report-html.js";
import { columnGroups, figureText } from "../../../models/evaluation/report-table.js";
import { SEGMENTS } from "../../../models/evaluation/segments.js";
import { startBrowser } from "../../harness/browser.js";
import { madeUpReport } from "./made-up-report.js";

/** As long as ids and folders may well be. */
const LONG = "a-model-whose-folder-has-quite-a-long-name-2026-11-24";
const TITLE = "Sinfonie Nr. 9 d-Moll op. 125 (Ode an die Freude), 日本フィルハーモニー交響楽団, live";

async function made(): Promise<{ html: string; report: Awaited<ReturnType<typeof madeUpReport>> }> {
  const report = await madeUpReport(["first", LONG]);
  const losses = Array.from({ length: 40 }, (_, i) => ({ share: i / 39, loss: 4 / (1 + i) + 0.3 }));
  const withLosses = { ...report, models: report.models.map((model, m) => (m < 2 ? { ...model, losses } : model)) };
  const points = Array.from({ length: 300 }, (_, i) => ({
    title: `${TITLE} ${i}`,
    x: Math.cos(i),
    y: Math.sin(i * 1.3),
    segment: SEGMENTS[i % 3]!,
  }));
  const items = Array.from({ length: 10 }, (_, i) => ({ title: i % 2 === 0 ? TITLE : "x".repeat(128), hit: i === 3 }));
  const lists = ["first", LONG].map((model) => ({ model, items }));
  const shown: Illustrations = {
    cases: [{ title: `for ${"u".repeat(128)}`, given: Array.from({ length: 12 }, () => TITLE), givenCount: 30, lists }],
    pictures: ["first", LONG].map((model) => ({ model, points })),
  };
  return { html: reportHtml(withLosses, `first, ${LONG} on test.txt.gz`, shown), report: withLosses };
}

describe("the page of a report, in a browser", () => {
  const directory = mkdtempSync(join(tmpdir(), "kindred-report-page-"));
  let browser: Browser;
  let report: Awaited<ReturnType<typeof madeUpReport>>;
  beforeAll(async () => {
    browser = await startBrowser();
    const page = await made();
    report = page.report;
    writeFileSync(join(directory, "report.html"), page.html);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  describe.each([
    [390, "light"],
    [390, "dark"],
    [1280, "light"],
    [1280, "dark"],
  ] as const)("%i pixels wide, %s", (width, colorScheme) => {
    let page: Page;
    const problems: string[] = [];
    beforeAll(async () => {
      page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
      page.on("console", (message) => void problems.push(message.text()));
      page.on("pageerror", (error) => void problems.push(error.message));
      page.on("request", (request) => void (request.url().startsWith("file:") || problems.push(request.url())));
      await page.goto(pathToFileURL(join(directory, "report.html")).href);
    });
    afterAll(() => page?.close());

    it("fits into the window, says nothing on the console and asks for nothing", async () => {
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
      expect(problems).toEqual([]);
    });

    it("draws a chart for each figure, its labels within it and none over another", async () => {
      const figures = await page.locator("figure").all();
      const columns = columnGroups(report).flatMap((group) => group.columns.map(({ title }) => title));
      // And for two models their losses and their spaces.
      expect(await page.locator("figcaption").allInnerTexts()).toEqual([...columns, "first", LONG, "first", LONG]);
      for (const figure of figures) {
        const svg = (await figure.locator("svg").boundingBox())!;
        expect(svg.width).toBeGreaterThan(300);
        expect(svg.x + svg.width).toBeLessThanOrEqual(width);
        const labels = await Promise.all((await figure.locator("text").all()).map((label) => label.boundingBox()));
        for (const [i, label] of labels.entries()) {
          expect(label!.x).toBeGreaterThanOrEqual(svg.x - 1);
          expect(label!.x + label!.width).toBeLessThanOrEqual(svg.x + svg.width + 1);
          for (const other of labels.slice(i + 1)) {
            const apart = label!.x + label!.width <= other!.x + 1 || other!.x + other!.width <= label!.x + 1;
            expect(apart || Math.abs(label!.y - other!.y) > 8).toBe(true);
          }
        }
      }
    });

    it("shows every model's figures in rows of their own, readable on what is behind them", async () => {
      const rows = await page.locator("tr:visible").allInnerTexts();
      for (const { name, u2i } of report.models)
        for (const value of Object.values(u2i))
          expect(rows.some((row) => row.startsWith(name) && row.replaceAll("*", "").split(/\s+/).includes(figureText(value)))).toBe(true);
      const shades = (await page.evaluate(`(() => {
        const probe = document.body.appendChild(document.createElement("i"));
        probe.style.color = "Canvas";
        const shade = (color) => Math.max(...color.match(/\\d+/g).slice(0, 3).map(Number));
        const behind = shade(getComputedStyle(probe).color);
        probe.remove();
        return [behind, ...["td", "svg text", "figcaption", "h2", "li"].map((name) => {
          const style = getComputedStyle(document.querySelector(name));
          return shade(name === "svg text" ? style.fill : style.color);
        })];
      })()`)) as number[];
      const [behind, ...texts] = shades;
      for (const text of texts) expect(Math.abs(text - behind!)).toBeGreaterThan(150);
      expect(behind! < 128).toBe(colorScheme === "dark");
    });

    it("draws losses as lines that fall, not as areas", async () => {
      expect(await page.evaluate('getComputedStyle(document.querySelector("polyline")).fill')).toBe("none");
      for (const line of await page.locator("polyline").all()) expect((await line.boundingBox())!.height).toBeGreaterThan(50);
      expect(await page.locator("polyline").count()).toBe(2);
    });

    it("says a point's name, has cases beside each other where there is room, and opens what is folded", async () => {
      expect(await page.locator("circle").count()).toBe(600);
      expect(await page.locator("circle title").first().textContent()).toBe(`${TITLE} 0`);
      const [one, two] = await Promise.all([0, 1].map((at) => page.locator("ol").nth(at).boundingBox()));
      expect(Math.abs(one!.y - two!.y) < 5).toBe(width > 1000);
      const difference = page.locator("details tr", { hasText: "popularity - first" }).first();
      expect(await difference.isVisible()).toBe(false);
      await page.locator("summary").click();
      expect(await difference.isVisible()).toBe(true);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
    });
  });
});
