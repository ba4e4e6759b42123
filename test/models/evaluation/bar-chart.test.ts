import { expect, it } from "vitest";
import { barChart } from "../../../models/evaluation/bar-chart.js";

const widths = (svg: string): number[] => [...svg.matchAll(/<rect[^>]*? width="([\d.]+)"/g)].map(([, width]) => Number(width));

it("draws bars as long as their values, from 0", () => {
  const [long, short, none] = widths(
    barChart(
      "t",
      [
        { label: "a", value: 0.4 },
        { label: "b", value: 0.1 },
        { label: "c", value: 0 },
      ],
      () => "red",
    ),
  );
  expect(short! / long!).toBeCloseTo(0.25, 2);
  expect(none).toBe(0);
});

it("leaves room for a whisker that is longer than every bar, and none of it is drawn below 0", () => {
  const svg = barChart("t", [{ label: "a", value: 0.1, low: -0.2, high: 0.4 }], () => "red");
  const [, from, to] = /<path d="M([\d.-]+) \d+H([\d.-]+)/.exec(svg)!.map(Number) as [number, number, number];
  const start = Number(/<rect x="(\d+)"/.exec(svg)![1]);
  expect(from).toBe(start);
  expect((to - start) / widths(svg)[0]!).toBeCloseTo(4, 1);
});

it("draws where all is 0, and where there is nothing", () => {
  expect(widths(barChart("t", [{ label: "a", value: 0 }], () => "red"))).toEqual([0]);
  expect(barChart("t", [], () => "red")).not.toContain("NaN");
});
