/**
 * Exactly once under fire: a producer of known sums, members of the group killed with -9, stopped and continued, added and removed, the
 * broker restarted and killed. At the end every user has each event once, and the rows of the changelogs, and those of the members together, have
 * the hash of a clean replay of the topic.
 *
 *   npm run -s bench -- kafka-fire [--faults 30] [--rate 1000] [--users 2000] [--partitions 6] [--format json|registry] [--standby]
 *
 * --standby: every second member keeps warm copies of what the others own. Ends with 1 where a figure is not as it has to be.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { HashSum } from "../state/state-hash.js";
import { registryCodec } from "../streams/registry/event-codec.js";
import { startBroker } from "../test/harness/kafka-broker.js";
import { KindredCluster } from "../test/harness/kafka-cluster.js";
import { type FireReport, fire } from "../test/harness/kafka-fire.js";
import { temporaryDirectory } from "../test/harness/kindred-process.js";
import { startRegistry } from "../test/harness/schema-registry.js";
import { Results, round } from "./harness/results.js";

const { values: flags } = parseArgs({
  options: {
    faults: { type: "string", default: "30" },
    rate: { type: "string", default: "1000" },
    users: { type: "string", default: "2000" },
    partitions: { type: "string", default: "6" },
    seed: { type: "string", default: "1" },
    format: { type: "string", default: "json" },
    standby: { type: "boolean", default: false },
  },
});
/** Longer than a session (below), so that who stands still has lost its partitions when it goes on. */
const FREEZE_MS = 8_000;
const SESSION_MS = 6_000;

const results = new Results(
  "kafka-fire",
  `Members of a group killed, frozen, added and removed and their broker restarted and killed, while ${flags.rate} events a second of ` +
    `${flags.users} users are produced into ${flags.partitions} partitions.`,
  [
    "faults",
    "events produced",
    "users with a wrong count",
    "rows of the changelogs are the replay's",
    "rows of the members are the replay's",
    "not folded",
    "minutes",
  ],
);
const scratch = await temporaryDirectory("bench-fire");
const broker = await startBroker({ forLoad: true });
const registry = flags.format === "registry" ? await startRegistry() : undefined;
const log = { debug: () => undefined, info: () => undefined, warn: console.warn, error: console.error };
const codec =
  registry &&
  registryCodec({ url: registry.url, username: "", password: "", caFile: "", cacheDirectory: join(scratch.path, "schemas"), log });
const cluster = new KindredCluster(broker, "fire", {
  KINDRED_KAFKA__PARTITIONS: flags.partitions,
  KINDRED_KAFKA__SESSION_TIMEOUT_MS: String(SESSION_MS),
  KINDRED_KAFKA__FORMAT: flags.format,
  ...(registry && { KINDRED_REGISTRY__URL: registry.url }),
});
try {
  const began = performance.now();
  const encode = await codec?.eventEncoder(`${cluster.name}.events`);
  const report = await fire(cluster, broker, {
    faults: Number(flags.faults),
    seed: Number(flags.seed),
    users: Number(flags.users),
    eventsPerSecond: Number(flags.rate),
    pauseMs: 2_000,
    freezeMs: FREEZE_MS,
    say: (text) => console.log(new Date().toISOString().slice(11, 19), text),
    ...(encode && { encode }),
    memberEnv: (n) => ({ KINDRED_KAFKA__STANDBY: String(flags.standby && n % 2 === 1) }),
  });
  publish(report, (performance.now() - began) / 60_000);
  await results.write();
} finally {
  await codec?.close();
  await cluster.close();
  await registry?.stop();
  await broker.stop();
  await scratch.remove();
}

function publish({ faults, produced, wrong, live, members, replay }: FireReport, minutes: number): void {
  const [changelogs, folded] = [live.hash === replay.hash, HashSum.total(members.map(({ hash }) => hash)) === replay.hash];
  const count = Object.values(faults).reduce((sum, n) => sum + n, 0);
  results.row(count, produced, wrong.length, String(changelogs), String(folded), replay.rejected, round(minutes));
  results.note(
    `faults: ${Object.entries(faults)
      .map(([kind, n]) => `${n} x ${kind}`)
      .join(", ")}; ${members.length} members at the end`,
  );
  results.note(
    `the replay folded ${replay.events} records; half of the users' events have no id, so that one folded twice would show in the hash`,
  );
  results.note(`state hash ${replay.hash} of ${replay.rows} rows`);
  if (wrong.length === 0 && changelogs && folded && replay.rejected === 0) return;
  console.error(JSON.stringify({ wrong: wrong.slice(0, 20), live, members, replay }));
  process.exitCode = 1;
}
