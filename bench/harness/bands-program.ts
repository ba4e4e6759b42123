import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { projectRoot } from "../../test/harness/kindred-process.js";

const run = promisify(execFile);

export interface QueryFigures {
  readonly distance: number;
  readonly microsAQuery: number;
  readonly microsMedian: number;
  readonly microsP99: number;
  readonly candidates: number;
  readonly candidatesMedian: number;
  readonly candidatesP99: number;
  /** Pairs found by all queries. */
  readonly found: number;
  /** Share of queries cut at the cap. */
  readonly truncated: number;
}

/** What native/bench/bands_bench.cc prints. */
export interface BandsFigures {
  readonly users: number;
  readonly cap: number;
  readonly buildCpuSeconds: number;
  readonly buildSeconds: number;
  /** Tables of all buckets and chunks, before any code. */
  readonly fixedBytes: number;
  readonly bytesACode: number;
  readonly residentACode: number;
  readonly below3: QueryFigures;
  readonly to3: QueryFigures;
  readonly updates?: {
    readonly microsAnUpdate: number;
    readonly perSecond: number;
    readonly searchesASecondMeanwhile: number;
    readonly bytesACode: number;
    readonly residentACode: number;
  };
  readonly afterUpdates?: QueryFigures;
  readonly stats: { readonly staleEntries: number; readonly largestBucket: number; readonly bucketsOverCap: number };
}

export interface BandsRun {
  readonly users: number;
  readonly cap: number;
  readonly queries: number;
  readonly updates: number;
  /** Fingerprints, 8 bytes each, little endian; uniform ones where absent. */
  readonly codes?: string;
}

let built: Promise<unknown> | undefined;

/** Builds the program where needed and runs it: the bands alone, without ids. */
export async function runBands({ users, cap, queries, updates, codes }: BandsRun): Promise<BandsFigures> {
  built ??= run(process.execPath, [join(projectRoot, "native", "build.mjs"), "--bench", "bands_bench"]);
  await built;
  const args = [users, cap, queries, updates].map(String);
  const program = join(projectRoot, "build", "native", "bands_bench");
  const { stdout } = await run(program, codes === undefined ? args : [...args, codes]);
  return JSON.parse(stdout) as BandsFigures;
}
