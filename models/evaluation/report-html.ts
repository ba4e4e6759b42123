import { type Bar, barChart } from "./bar-chart.js";
import type { CaseStudy } from "./case-studies.js";
import { escaped } from "./html-text.js";
import { casesHtml, picturesHtml } from "./illustrations-html.js";
import { lineChart } from "./line-chart.js";
import type { Picture } from "./picture.js";
import type { EvaluationReport, ModelReport } from "./report.js";
import { type Column, columnGroups, comparisonAt, figureText, SIGNIFICANT, splitLines } from "./report-table.js";

/** Told apart also by who sees few colours (Okabe and Ito, 2008). */
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"];
/** The baseline, wherever it is. */
const GREY = "#999999";

/** Names and titles may be as long as ids and have no space in them: they break anywhere. */
const STYLE = `
:root{color-scheme:light dark;--better:#00795a;--worse:#b34700}
@media (prefers-color-scheme:dark){:root{--better:#3ddba5;--worse:#ff9a57}}
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25}
h2{margin-top:2.5rem}
table{border-collapse:collapse;margin:.5rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .7rem;text-align:right;white-space:nowrap;border-bottom:1px solid #8884}
th:first-child,td:first-child{text-align:left;white-space:normal;min-width:8rem}
td.better{color:var(--better);font-weight:600}
td.worse{color:var(--worse);font-weight:600}
.charts{display:flex;flex-wrap:wrap;gap:1rem 2rem}
.charts>div{flex:1 1 18rem;min-width:0}
.scroll{overflow-x:auto}
figure{margin:0;max-width:100%;width:420px}
figcaption{font-weight:600}
svg{max-width:100%;height:auto}
svg text{font-size:12px;fill:currentColor}
.whisker{stroke:currentColor;stroke-width:1.5;fill:none}
.axis{stroke:#8888;fill:none}
.line{stroke-width:2;fill:none;stroke-linejoin:round}
ol{padding-left:2rem}
details{margin:1rem 0}
`;

/** For people to look at; no figures. */
export interface Illustrations {
  readonly cases?: readonly CaseStudy[];
  readonly pictures?: readonly Picture[];
}

/**
 * One page that needs nothing else: no script, no file beside it, nothing from the network. `title` and the models' names may hold
 * anything.
 */
export function reportHtml(report: EvaluationReport, title: string, { cases = [], pictures = [] }: Illustrations = {}): string {
  const groups = columnGroups(report).map(
    (group) => `<h2>${escaped(group.title)}</h2>
<div class="charts">${group.columns.map((column) => chartOf(report, column)).join("")}</div>
<div class="scroll">${tableOf(report, group.columns)}</div>`,
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
<h1>${escaped(title)}</h1>
${splitLines(report)
  .map((line) => `<p>${escaped(line)}</p>`)
  .join("\n")}
${modelsOf(report)}
${groups.join("\n")}
${lossesOf(report)}
${differencesOf(report)}
${picturesHtml(pictures)}
${casesHtml(cases)}
<p>Made by kindred with seed ${report.settings.seed}. Whiskers are 95 % intervals of the difference from the first model, paired by user.</p>
</html>
`;
}

/** Bars of all models that have a figure here, around each but the first the interval of its difference. */
function chartOf(report: EvaluationReport, column: Column): string {
  const [first] = report.models;
  const shown = report.models.filter((model) => typeof column.of(model) === "number");
  const bars = shown.map((model): Bar => {
    const value = column.of(model)!;
    const found = comparisonAt(report, model, column);
    const from = first && column.of(first);
    return { label: model.name, value, ...(found && typeof from === "number" && { low: from + found.low, high: from + found.high }) };
  });
  return barChart(column.title, bars, (place) => colourOf(report, shown[place]!));
}

/** One chart a model: what a pair loses is another thing in each kind, and with other settings. */
function lossesOf(report: EvaluationReport): string {
  const charts = report.models.flatMap((model) =>
    model.losses === undefined
      ? []
      : [
          lineChart(
            model.name,
            model.losses.map(({ share, loss }) => ({ x: share, y: loss })),
            colourOf(report, model),
          ),
        ],
  );
  if (charts.length === 0) return "";
  return `<h2>loss while training</h2>
<p>Mean of a pair, by how far the training had come. Losses of different kinds or settings are not to be compared.</p>
<div class="charts">${charts.join("")}</div>`;
}

function colourOf({ models }: EvaluationReport, model: ModelReport): string {
  return model.dims === null ? GREY : COLOURS[models.indexOf(model) % COLOURS.length]!;
}

const row = (cells: readonly string[], tag: "td" | "th" = "td"): string =>
  `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join("")}</tr>`;

function tableOf(report: EvaluationReport, columns: readonly Column[]): string {
  const rows = report.models.map((model) => {
    const cells = columns.map((column) => {
      const found = comparisonAt(report, model, column);
      const sure = found !== undefined && found.adjusted < SIGNIFICANT;
      const mark = sure ? ` class="${found.mean > 0 ? "better" : "worse"}"` : "";
      return `<td${mark}>${figureText(column.of(model))}${sure ? "*" : ""}</td>`;
    });
    return `<tr><td>${escaped(model.name)}</td>${cells.join("")}</tr>`;
  });
  return `<table>${row(["", ...columns.map(({ title }) => escaped(title))], "th")}${rows.join("\n")}</table>`;
}

function modelsOf({ models }: EvaluationReport): string {
  const rows = models.map(({ name, kind, dims, items, cpuSeconds }) =>
    row([escaped(name), escaped(kind), dims === null ? "-" : String(dims), items.toLocaleString("en-US"), cpuSeconds.toFixed(1)]),
  );
  const head = row(["model", "kind", "dimensions", "items in lists", "CPU s to evaluate"], "th");
  return `<div class="scroll"><table>${head}${rows.join("\n")}</table></div>`;
}

function differencesOf({ comparisons }: EvaluationReport): string {
  if (comparisons.length === 0) return "";
  const rows = comparisons.map(({ model, base, task, metric, mean, low, high, p, adjusted, queries }) =>
    row([
      escaped(`${model} - ${base}`),
      `${task} ${escaped(metric)}`,
      mean.toFixed(5),
      `${low.toFixed(5)} to ${high.toFixed(5)}`,
      p.toFixed(4),
      adjusted.toFixed(4),
      queries.toLocaleString("en-US"),
    ]),
  );
  const head = row(["", "figure", "mean difference", "95 % interval", "p", "p, corrected", "queries"], "th");
  return `<details><summary>All differences</summary><div class="scroll"><table>${head}${rows.join("\n")}</table></div></details>`;
}
