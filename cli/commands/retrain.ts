import type { Command } from "commander";
import { MAX_THREADS } from "../../models/training/model-kind.js";
import { MODEL_KINDS } from "../../models/training/model-kinds.js";
import type { Terminal } from "../command-frame.js";
import { addClientOptions, type ClientOptions, configurationOf, integerFlag, printResult, serverOf } from "../command-options.js";
import { untilStopped } from "../stop-signals.js";
import { type RetrainingOptions, retrainOnState } from "../training/retraining.js";
import { defaultThreads } from "../training/threads.js";

type RetrainOptions = ClientOptions &
  RetrainingOptions & {
    readonly drift?: string;
    readonly tolerance?: string;
    readonly kind?: string;
    readonly dims?: string;
  };

const ABOUT = `A model is trained on what the state holds, but for the newest interactions. It is published if it finds
those as well as what answers now (recall@20 of u2i): the model served, which does not know what came after its own training, or
popularity where none is served that was trained. Where three generations are live already, the oldest of those that neither answer nor
answered before is given up. retrain.everyHours does this by itself; the section \`retrain\` of the configuration has the defaults.`;

export function addRetrain(program: Command, terminal: Terminal): void {
  addClientOptions(program.command("retrain").description("train on the state, judge by the newest events, publish what is not worse"))
    .addHelpText("after", `\n${ABOUT}`)
    .option("--kind <kind>", `${MODEL_KINDS.map(({ kind }) => kind).join(", ")}`)
    .option("--dims <number>", "dimensions of the model")
    .option("--drift <share>", "do nothing unless so much of what is new is with items that the served model does not know")
    .option("--tolerance <share>", "how much less than the served model's recall is let pass, as a share of it")
    .option("--threads <number>", "of the training (default: all cores)", integerFlag(1, MAX_THREADS), defaultThreads())
    .option("--seed <number>", "of all random choices", integerFlag(0, 2 ** 32 - 1), 1)
    .option("--users <number>", "who are asked at most, drawn by the seed", integerFlag(1, 1e9), 5_000)
    .option("--dry-run", "judge, and publish nothing")
    .action((options: RetrainOptions) => untilStopped((signal) => retrain(options, terminal, signal)));
}

async function retrain(options: RetrainOptions, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const config = configurationOf(options, terminal, {
    "retrain.kind": { flag: "--kind", value: options.kind },
    "retrain.dims": { flag: "--dims", value: options.dims },
    "retrain.drift": { flag: "--drift", value: options.drift },
    "retrain.tolerance": { flag: "--tolerance", value: options.tolerance },
  });
  const server = await serverOf(options, config, signal);
  const outcome = await retrainOnState(config, options, server, signal);
  const figures = outcome.gate
    ? `, ${outcome.gate.metric} ${outcome.gate.candidate.toFixed(4)} against ${outcome.gate.base.toFixed(4)} of ${outcome.gate.against} (${outcome.gate.users} users)`
    : "";
  const what = outcome.published === null ? "nothing was published" : `generation ${outcome.published} answers`;
  const gone = outcome.retired === undefined ? "" : `; generation ${outcome.retired} was given up`;
  printResult(terminal, options, outcome, `${what}: ${outcome.why}${figures}${gone}`);
}
