import type { CaseStudy } from "./case-studies.js";
import { escaped } from "./html-text.js";
import type { Picture } from "./picture.js";
import { SEGMENTS, type Segment } from "./segments.js";

const COLOURS: Readonly<Record<Segment, string>> = { head: "#d55e00", middle: "#0072b2", tail: "#009e73" };
const SIZE = 420;
const MARGIN = 10;

/** Each model's space, seen from where its vectors differ most; a point says its name when pointed at. */
export function picturesHtml(pictures: readonly Picture[]): string {
  if (pictures.length === 0) return "";
  const legend = SEGMENTS.map((segment) => `<span style="color:${COLOURS[segment]}">&#9679; ${segment}</span>`).join(" ");
  return `<h2>the space of the items</h2>
<p>The two directions in which output vectors of length 1 differ most (principal components). ${legend}</p>
<div class="charts">${pictures.map(scatter).join("\n")}</div>`;
}

function scatter({ model, points }: Picture): string {
  const across = scale(points.map(({ x }) => x));
  const down = scale(points.map(({ y }) => -y));
  const dots = points.map(
    ({ title, x, y, segment }) =>
      `<circle cx="${across(x)}" cy="${down(-y)}" r="2.5" fill="${COLOURS[segment]}"><title>${escaped(title)}</title></circle>`,
  );
  return `<figure><figcaption>${escaped(model)}</figcaption><svg viewBox="0 0 ${SIZE} ${SIZE}" width="${SIZE}" height="${SIZE}" role="img" aria-label="${escaped(`items of ${model}`)}">${dots.join("")}</svg></figure>`;
}

/** From the least to the most, with a margin; to the middle where there is one value only. */
function scale(values: readonly number[]): (value: number) => string {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) [least, most] = [Math.min(least, value), Math.max(most, value)];
  const room = SIZE - 2 * MARGIN;
  return (value) => (MARGIN + (most > least ? ((value - least) / (most - least)) * room : room / 2)).toFixed(1);
}

/** Lists beside each other, what the test says in bold. */
export function casesHtml(cases: readonly CaseStudy[]): string {
  if (cases.length === 0) return "";
  const blocks = cases.map(({ title, given, givenCount, lists }) => {
    const more = givenCount > given.length ? ` and ${givenCount - given.length} more` : "";
    const columns = lists.map(({ model, items }) => {
      const lines = items.map((item) => `<li>${item.hit ? `<b>${escaped(item.title)}</b>` : escaped(item.title)}</li>`);
      return `<div><h4>${escaped(model)}</h4><ol>${lines.join("")}</ol></div>`;
    });
    return `<h3>${escaped(title)}</h3>
<p>given: ${escaped(given.join(", "))}${more}</p>
<div class="charts">${columns.join("\n")}</div>`;
  });
  return `<h2>cases</h2>
<p>Bold is what the test says.</p>
${blocks.join("\n")}`;
}
