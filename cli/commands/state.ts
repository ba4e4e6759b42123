import type { Command } from "commander";
import type { Static } from "typebox";
import { hashAnswer, profileAnswer, verifyAnswer } from "../../api/admin-answers.js";
import { KindredError } from "../../schemas/errors.js";
import type { ProfileAnswer, StateHashAnswer, VerifyAnswer } from "../../schemas/http.js";
import type { UserId } from "../../schemas/ids.js";
import type { Terminal } from "../command-frame.js";
import { addClientOptions, type ClientOptions, configurationOf, printResult, serverOf } from "../command-options.js";
import { Progress } from "../progress.js";
import { untilStopped } from "../stop-signals.js";
import { withUpdater } from "../wiring/offline.js";

type Hash = Static<typeof StateHashAnswer>;
type Profile = Static<typeof ProfileAnswer>;
type Verify = Static<typeof VerifyAnswer>;

/** Most items and keywords of a row that are printed for people. */
const LISTED = 15;

export function addState(program: Command, terminal: Terminal): void {
  const state = program.command("state").description("the state: its hash, a user's row, a check of everything");
  addClientOptions(state.command("hash").description("canonical hash of all rows, and the position that it holds for")).action(
    (options: ClientOptions) => hash(options, terminal),
  );
  addClientOptions(state.command("get").argument("<user>").description("a user's whole row")).action(
    (user: string, options: ClientOptions) => get(user, options, terminal),
  );
  addClientOptions(state.command("verify").description("recompute every row from its profile and compare")).action(
    (options: ClientOptions) => verify(options, terminal),
  );
}

async function hash(options: ClientOptions, terminal: Terminal): Promise<void> {
  await untilStopped(async (signal) => {
    const config = configurationOf(options, terminal);
    const server = await serverOf(options, config, signal);
    const answer = server
      ? await server.get<Hash>("/v1/state/hash")
      : await withUpdater(config, { signal, index: false }, async (updater) => hashAnswer(await updater.owner.summary()));
    printResult(terminal, options, answer, `${answer.hash}  ${answer.rows} rows at ${answer.position}`);
  });
}

async function get(user: string, options: ClientOptions, terminal: Terminal): Promise<void> {
  await untilStopped(async (signal) => {
    const config = configurationOf(options, terminal);
    const server = await serverOf(options, config, signal);
    const answer = server
      ? await server.get<Profile>(`/v1/admin/users/${encodeURIComponent(user)}`)
      : await withUpdater(config, { signal, index: false }, async (updater) => {
          const row = await updater.owner.profile(user as UserId);
          if (!row) throw new KindredError("UNKNOWN_USER", "no behaviour of this user is known", user);
          return profileAnswer(row);
        });
    printResult(terminal, options, answer, profileText(answer));
  });
}

function profileText(row: Profile): string {
  const part = (title: string, lines: readonly string[], total: number): string[] => [
    `${title}${total > lines.length ? ` (${lines.length} of ${total})` : ""}:`,
    ...lines.map((line) => `  ${line}`),
  ];
  const weight = (n: number): string => n.toFixed(3).padStart(10);
  return [
    `${row.user}: ${row.events} events, the newest of ${row.updatedAt}, at ${row.position}, catalogue ${row.catalogue}`,
    `fingerprint ${row.fingerprint ?? "none"}, total weight ${row.totalWeight.toFixed(3)}`,
    ...part(
      "items",
      row.items.slice(0, LISTED).map((item) => `${weight(item.weight)}  ${item.item}`),
      row.items.length,
    ),
    ...part(
      "keywords",
      row.keywords.slice(0, LISTED).map((keyword) => `${weight(keyword.weight)}  ${keyword.keyword}`),
      row.keywords.length,
    ),
  ].join("\n");
}

async function verify(options: ClientOptions, terminal: Terminal): Promise<void> {
  await untilStopped(async (signal) => {
    const config = configurationOf(options, terminal);
    const server = await serverOf(options, config, signal);
    const progress = new Progress({ label: "verify", unit: "rows", stream: process.stderr });
    const answer = server
      ? await server.post<Verify>("/v1/admin/state/verify", {})
      : await withUpdater(config, { signal, index: false }, async (updater) => verifyAnswer(await updater.owner.verify()));
    progress.stop();
    const faults = answer.faults.map(({ user, field }) => `\n  ${user}: ${field}`).join("");
    const text = answer.ok
      ? `${answer.rows} rows are what their profiles say, hash ${answer.storedHash}`
      : `${answer.faultCount} faults in ${answer.rows} rows${faults}`;
    printResult(terminal, options, answer, text);
    if (!answer.ok)
      throw new KindredError(
        "STATE_CORRUPT",
        `${answer.faultCount} faults, stored hash ${answer.storedHash}, recomputed ${answer.recomputedHash}`,
        config.dataDir,
      );
  });
}
