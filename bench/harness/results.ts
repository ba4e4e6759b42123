import { mkdir, writeFile } from "node:fs/promises";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { projectRoot } from "../../test/harness/kindred-process.js";

export type Figure = number | string | null;

/** One bench's published figures: what was measured, by which command, on which machine, when. */
export interface BenchResult {
  readonly bench: string;
  readonly what: string;
  readonly command: string;
  readonly date: string;
  readonly machine: string;
  /** Load average over a minute before the run began: these machines are shared. */
  readonly loadBefore: number;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Figure[])[];
  readonly notes: readonly string[];
}

const machine = (): string =>
  `${cpus().length} x ${cpus()[0]?.model ?? "unknown"}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}, Node ${process.versions.node}`;

/** Collects a bench's rows and writes them to bench/results/NAME.json, from which docs/BENCHMARKS.md is made. */
export class Results {
  private readonly rows: Figure[][] = [];
  private readonly notes: string[] = [];
  private readonly loadBefore = loadavg()[0] ?? 0;

  constructor(
    private readonly bench: string,
    private readonly what: string,
    private readonly columns: readonly string[],
  ) {}

  row(...figures: Figure[]): void {
    if (figures.length !== this.columns.length) throw new Error(`${figures.length} figures for ${this.columns.length} columns`);
    this.rows.push(figures);
    console.log(this.columns.map((column, i) => `${column}: ${figures[i]}`).join(" | "));
  }

  note(text: string): void {
    this.notes.push(text);
    console.log(text);
  }

  async write(): Promise<void> {
    const result: BenchResult = {
      bench: this.bench,
      what: this.what,
      command: `npm run -s bench -- ${[this.bench, ...process.argv.slice(2)].join(" ")}`,
      date: new Date().toISOString().slice(0, 10),
      machine: machine(),
      loadBefore: Math.round(this.loadBefore * 100) / 100,
      columns: this.columns,
      rows: this.rows,
      notes: this.notes,
    };
    const directory = join(projectRoot, "bench", "results");
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, `${this.bench}.json`), `${JSON.stringify(result, null, 2)}\n`);
  }
}

/** The q-quantile (0..1) of unsorted numbers, by nearest rank. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? Number.NaN;
}

export const round = (value: number, digits = 1): number => Math.round(value * 10 ** digits) / 10 ** digits;
