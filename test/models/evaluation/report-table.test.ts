import { expect, it } from "vitest";
import type { EvaluationReport } from "../../../models/evaluation/report.js";
import { figureText, reportTable } from "../../../models/evaluation/report-table.js";
import { madeUpReport } from "./made-up-report.js";

it("has every figure of every model in its column, aligned", async () => {
  const report = await madeUpReport(["first", "a much longer name"]);
  const blocks = reportTable(report).trimEnd().split("\n\n").slice(1);
  const cells = blocks.flatMap((block) => {
    const [head, ...rows] = block.split("\n").map((line) => line.split(/\s{2,}/));
    return rows.flatMap((row) => head!.slice(1).map((title, i) => [head![0]!, row[0]!, title, row[i + 1]?.replace("*", "")]));
  });
  const shown = (group: string, model: string, title: string) =>
    cells.find(([g, m, t]) => g?.includes(group) && m === model && t === title)?.[3];
  for (const { name, u2i, i2i, u2u, exposure } of report.models) {
    for (const [metric, value] of Object.entries(u2i)) {
      const group = metric.includes("/") ? "recall by popularity" : "(u2i)";
      expect(shown(group, name, metric), `${name} ${metric}`).toBe(figureText(value));
    }
    for (const [metric, value] of Object.entries(exposure)) expect(shown("what is shown", name, metric)).toBe(figureText(value));
    for (const [metric, value] of Object.entries(i2i ?? {})) expect(shown("(i2i)", name, metric), metric).toBe(figureText(value));
    for (const [metric, value] of Object.entries(u2u ?? {})) expect(shown("(u2u)", name, metric), metric).toBe(figureText(value));
  }
  for (const block of blocks) {
    const [head, ...rows] = block.split("\n");
    // All figures have four digits behind the point, so columns are aligned when their points are.
    const points = rows.map((row) => [...row.matchAll(/\.\d{4}/g)].map(({ index }) => index));
    if (!block.includes(" -")) for (const of of points) expect(of, head).toEqual(points[0]);
  }
});

it("stars what differs from the first model after the correction, and says how that was found", async () => {
  const report = await madeUpReport(["first", "second"]);
  const starred = (adjusted: number): EvaluationReport => ({
    ...report,
    comparisons: report.comparisons.map((one) =>
      one.metric === "ndcg@20" && one.task === "u2i" ? { ...one, adjusted } : { ...one, adjusted: 1 },
    ),
  });
  const [sure, unsure] = [reportTable(starred(0.049)), reportTable(starred(0.05))];
  const stars = (text: string): number => [...text.matchAll(/\d\*/g)].length;
  // Of the second model and of popularity.
  expect([stars(sure), stars(unsure)]).toEqual([2, 0]);
  expect(sure).toContain("differs from first: paired randomisation test of 50 rounds");
});

it("says nothing of differences where none were looked for, and leaves out what nobody was asked", async () => {
  const text = reportTable(await madeUpReport(["first", "second"], 0));
  expect(text).not.toContain("differs");
  expect(text).not.toContain("friends");
});

it("shows a figure of no query as a dash", () => {
  expect([figureText(null), figureText(undefined), figureText(0.04164)]).toEqual(["-", "-", "0.0416"]);
});
