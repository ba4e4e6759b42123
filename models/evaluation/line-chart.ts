import { escaped } from "./html-text.js";

export interface Point {
  readonly x: number;
  readonly y: number;
}

const WIDTH = 420;
const HEIGHT = 180;
const LEFT = 54;
const RIGHT = 12;
const TOP = 8;
const BOTTOM = 24;

/** One line from x = 0 to 1, as inline SVG; y from its least to its most. */
export function lineChart(title: string, points: readonly Point[], colour: string): string {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { y } of points) [least, most] = [Math.min(least, y), Math.max(most, y)];
  const across = (x: number): string => (LEFT + x * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const room = HEIGHT - TOP - BOTTOM;
  const down = (y: number): string => (TOP + (most > least ? ((most - y) / (most - least)) * room : room / 2)).toFixed(1);
  const line = points.map(({ x, y }) => `${across(x)},${down(y)}`).join(" ");
  const axis = `<path d="M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}" class="axis"/>`;
  const values = (most > least ? [most, least] : [most]).map(
    (y) => `<text x="${LEFT - 6}" y="${Number(down(y)) + 4}" text-anchor="end">${y.toPrecision(3)}</text>`,
  );
  const shares = [0, 0.5, 1].map(
    (x) => `<text x="${across(x)}" y="${HEIGHT - 6}" text-anchor="${x === 1 ? "end" : x === 0 ? "start" : "middle"}">${x * 100} %</text>`,
  );
  return `<figure><figcaption>${escaped(title)}</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${escaped(title)}">${axis}<polyline points="${line}" class="line" stroke="${colour}"/>${values.join("")}${shares.join("")}</svg></figure>`;
}
