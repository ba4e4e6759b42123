/**
 * The fingerprint bands by number of codes, uniform ones: time and memory, searched while they change. Ids are left out (the
 * read model's table of ids would take more than the bands), so that 100 million fit into this machine.
 *
 *   npm run -s bench -- bands [--codes 1000000,10000000,100000000]
 */
import { parseArgs } from "node:util";
import { runBands } from "./harness/bands-program.js";
import { Results, round } from "./harness/results.js";

const CAP = 65_536;
const BUCKETS = 65_536;
const BANDS = 4;

const { values: flags } = parseArgs({ options: { codes: { type: "string", default: "1000000,10000000,100000000" } } });

const results = new Results("bands", "Fingerprint bands by number of codes, uniform; queries from the users themselves, one thread.", [
  "codes",
  "comparisons a query",
  "CPU us a query, Hamming < 3",
  "CPU us a query, Hamming <= 3",
  "p99",
  "build, CPU s",
  "bytes a code",
  "resident bytes a code",
  "CPU us an update, all 4 blocks moving",
  "updates/s while searched",
  "bytes a code after the updates",
]);
for (const users of flags.codes.split(",").map(Number)) {
  const { below3, to3, updates, ...figures } = await runBands({
    users,
    cap: CAP,
    queries: 20_000,
    updates: Math.min(users, 1_000_000),
  });
  results.row(
    users,
    round(to3.candidates),
    round(below3.microsAQuery, 2),
    round(to3.microsAQuery, 2),
    round(to3.microsP99, 2),
    figures.buildCpuSeconds,
    round(figures.bytesACode),
    round(figures.residentACode),
    round(updates?.microsAnUpdate ?? Number.NaN, 2),
    updates?.perSecond ?? null,
    round(updates?.bytesACode ?? Number.NaN),
  );
}
const projected = (codes: number): number => Math.round((BANDS * codes) / BUCKETS);
results.note(
  `Comparisons are ${BANDS} x codes / ${BUCKETS.toLocaleString("en-US")}; at 1,000,000,000 codes that makes ${projected(1e9).toLocaleString("en-US")} a query (the paper: 15,259 a block, four blocks)`,
);
results.note("A comparison reads 16 bits in a row; only 1.1 % of uniform ones go on to the fingerprint, which is a cache miss");
await results.write();
