import type { Comparison, EvaluationReport, Figures, ModelReport, SplitFigures } from "./report.js";

/** Differences that are starred: p after Holm's correction below this. */
export const SIGNIFICANT = 0.05;

/** One column of a table: what it is called, and what a model has there. */
export interface Column {
  readonly title: string;
  /** Where the comparisons have it; absent where nothing is compared. */
  readonly key?: { readonly task: string; readonly metric: string };
  readonly of: (model: ModelReport) => number | null | undefined;
}

/** All figures of a report, in groups that belong side by side. Columns that no model has are left out. */
export function columnGroups(report: EvaluationReport): { readonly title: string; readonly columns: readonly Column[] }[] {
  const { models, settings, split } = report;
  const task = (name: "u2i" | "i2i" | "u2u" | "types" | "newcomers", metrics: readonly string[]): Column[] =>
    metrics.map((metric) => ({ title: metric, key: { task: name, metric }, of: (model) => model[name]?.[metric] }));
  const plain = (of: (model: ModelReport) => Figures | undefined, metrics: readonly string[]): Column[] =>
    metrics.map((metric) => ({ title: metric, of: (model) => of(model)?.[metric] }));
  const at = (names: readonly string[]): string[] => settings.ks.flatMap((k) => names.map((name) => name.replace("@", `@${k}`)));
  const lists = ["recall@", "ndcg@", "precision@", "hit@", "mrr@"];
  const after = (split.newcomers ?? []).flatMap(({ events }) => at(["recall@", "ndcg@"]).map((name) => `${name} after ${events}`));
  const near = lists.map((name) => `${name}${settings.neighbours}`);
  const groups = [
    { title: "items for users (u2i)", columns: task("u2i", [...at(lists), "auc"]) },
    { title: "recall by popularity of the item", columns: task("u2i", at(["recall@/head", "recall@/middle", "recall@/tail"])) },
    { title: "recall by type of the item", columns: task("types", Object.keys(models[0]?.types ?? {})) },
    { title: "users who are new, after their first events", columns: task("newcomers", after) },
    {
      title: "what is shown",
      columns: plain((model) => model.exposure, at(["coverage@", "gini@", "share@/head", "share@/middle", "share@/tail"])),
    },
    { title: "items for an item (i2i)", columns: task("i2i", at(lists)) },
    { title: "users for users (u2u)", columns: task("u2u", [`jaccard@${settings.neighbours}`, ...near]) },
    { title: "friends", columns: plain((model) => model.friends, ["auc", `recall@${settings.neighbours}`]) },
  ];
  const has = ({ of }: Column): boolean => models.some((model) => of(model) !== null && of(model) !== undefined);
  return groups.map(({ title, columns }) => ({ title, columns: columns.filter(has) })).filter(({ columns }) => columns.length > 0);
}

/** The comparison of a model in a column; undefined for the first model, and where nothing is compared. */
export function comparisonAt({ comparisons }: EvaluationReport, model: ModelReport, { key }: Column): Comparison | undefined {
  return comparisons.find(({ model: name, task, metric }) => name === model.name && task === key?.task && metric === key?.metric);
}

/** .0416; "-" where no query counts. */
export const figureText = (value: number | null | undefined): string => (value === null || value === undefined ? "-" : value.toFixed(4));

/** What the figures were taken on, in sentences. */
export function splitLines({ split, settings, comparisons }: EvaluationReport): string[] {
  const n = (count: number): string => count.toLocaleString("en-US");
  const lost = split.testOfNewItems + split.testOfKnownItems;
  const drawn = split.testedUsers < split.testableUsers ? `, drawn from ${n(split.testableUsers)}` : "";
  return [
    `${n(split.users)} users, ${n(split.items)} items, ${n(split.trainInteractions)} interactions in train; ${n(split.testInteractions)} to be found, of ${n(split.testedUsers)} users${drawn}.`,
    ...(split.usersWithoutHistory > 0 ? [newcomersLine(split)] : []),
    ...(lost > 0
      ? [
          `Nobody can find ${n(lost)} of them: ${n(split.testOfNewItems)} of items that are not in train, ${n(split.testOfKnownItems)} that the user has already.`,
        ]
      : []),
    ...(comparisons.length > 0
      ? [
          `* differs from ${comparisons[0]!.base}: paired randomisation test of ${n(settings.rounds)} rounds, p < ${SIGNIFICANT} after Holm's correction for ${n(comparisons.length)} comparisons.`,
        ]
      : []),
  ];
}

function newcomersLine({ usersWithoutHistory, newcomers }: SplitFigures): string {
  const count = usersWithoutHistory.toLocaleString("en-US");
  if (newcomers === undefined) return `${count} users of test have no history and are left out.`;
  const after = newcomers.map(({ events, users }) => `${events} (${users.toLocaleString("en-US")} users)`);
  return `${count} users of test have no history: they are pooled after their first events, ${after.join(", ")}, and the rest is to be found.`;
}

/** For a terminal: a block of lines for each group, models below each other. */
export function reportTable(report: EvaluationReport): string {
  const blocks = columnGroups(report).map(({ title, columns }) => {
    const rows = report.models.map((model) => [
      model.name,
      ...columns.map((column) => {
        const { adjusted = 1 } = comparisonAt(report, model, column) ?? {};
        return `${figureText(column.of(model))}${adjusted < SIGNIFICANT ? "*" : " "}`;
      }),
    ]);
    return aligned([[title, ...columns.map((column) => `${column.title} `)], ...rows]);
  });
  return `${[splitLines(report).join("\n"), ...blocks].join("\n\n")}\n`;
}

/** The first column to the left, the others to the right. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join("  ");
  return rows.map((row) => line(row).trimEnd()).join("\n");
}
