import { expect, it } from "vitest";
import { casesHtml, picturesHtml } from "../../../models/evaluation/illustrations-html.js";

const EVIL = "<b>&\"'";

it("draws a point an item within the picture, and its name as text", () => {
  const points = [
    { title: EVIL, x: -3, y: 1, segment: "head" as const },
    { title: "up", x: 5, y: 9, segment: "tail" as const },
  ];
  const html = picturesHtml([{ model: "m", points }]);
  const places = [...html.matchAll(/cx="([\d.-]+)" cy="([\d.-]+)"/g)].map(([, x, y]) => [Number(x), Number(y)]);
  // The right one is higher, so further up: y grows downwards.
  expect(places).toEqual([
    [10, 410],
    [410, 10],
  ]);
  expect(html).toContain("<title>&lt;b&gt;&amp;&quot;&#39;</title>");
});

it("draws where all items lie at one place, and nothing of nothing", () => {
  const html = picturesHtml([
    { model: "m", points: [{ title: "t", x: 1, y: 1, segment: "middle" }] },
    { model: "empty", points: [] },
  ]);
  expect(html).toContain('cx="210.0" cy="210.0"');
  expect(html).not.toMatch(/NaN|Infinity/);
  expect([picturesHtml([]), casesHtml([])]).toEqual(["", ""]);
});

it("puts the lists of a case beside each other, hits in bold, names as text", () => {
  const lists = [
    { model: "first", items: [{ title: EVIL, hit: true }] },
    { model: "second", items: [{ title: "plain", hit: false }] },
  ];
  const html = casesHtml([{ title: "for ann", given: ["a", "b"], givenCount: 5, lists }]);
  expect(html).toContain("<li><b>&lt;b&gt;&amp;&quot;&#39;</b></li>");
  expect(html).toContain("<li>plain</li>");
  expect(html).toContain("given: a, b and 3 more");
  expect(html.indexOf("first")).toBeLessThan(html.indexOf("second"));
});
