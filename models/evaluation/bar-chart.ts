import { escaped } from "./html-text.js";

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Of the value's difference from the first model's, around it; none where nothing was compared. */
  readonly low?: number;
  readonly high?: number;
}

const WIDTH = 420;
const ROW = 22;
const LEFT = 150;
const RIGHT = 60;

/** Horizontal bars from 0, as inline SVG that needs nothing else. `colour` by place in the list; a whisker is the bar's interval. */
export function barChart(title: string, bars: readonly Bar[], colour: (place: number) => string): string {
  const most = Math.max(...bars.map(({ value, high = value }) => Math.max(value, high)), Number.MIN_VALUE);
  const x = (value: number): number => Math.round((LEFT + (Math.max(0, value) / most) * (WIDTH - LEFT - RIGHT)) * 10) / 10;
  const rows = bars.map(({ label, value, low, high }, place) => {
    const y = place * ROW;
    const whisker =
      low === undefined || high === undefined
        ? ""
        : `<path d="M${x(low)} ${y + 11}H${x(high)}M${x(low)} ${y + 7}v8M${x(high)} ${y + 7}v8" class="whisker"/>`;
    const end = Math.max(x(value), high === undefined ? 0 : x(high));
    return [
      `<text x="${LEFT - 6}" y="${y + 15}" text-anchor="end">${escaped(shortened(label))}</text>`,
      `<rect x="${LEFT}" y="${y + 3}" width="${Math.max(0, x(value) - LEFT).toFixed(1)}" height="16" fill="${colour(place)}"><title>${escaped(`${label}: ${value.toFixed(4)}`)}</title></rect>`,
      whisker,
      `<text x="${end + 5}" y="${y + 15}">${value.toFixed(4)}</text>`,
    ].join("");
  });
  const height = bars.length * ROW;
  return `<figure><figcaption>${escaped(title)}</figcaption><svg viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}">${rows.join("")}</svg></figure>`;
}

/** So that it fits beside its bar; the whole is in the bar's title. */
const shortened = (label: string): string => (label.length <= 20 ? label : `${label.slice(0, 19)}…`);
