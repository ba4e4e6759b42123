import type { Command } from "commander";
import type { Config } from "../../schemas/config.js";
import { KindredError } from "../../schemas/errors.js";
import type { ItemId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import { parseAssignments } from "../../streams/files/column-map.js";
import { FILE_FORMATS, type FileFormat } from "../../streams/files/file-rows.js";
import { ITEM_FIELDS } from "../../streams/files/item-rows.js";
import { type ItemsBatch, itemsFromFile } from "../../streams/files/items-from-file.js";
import type { Terminal } from "../command-frame.js";
import { addClientOptions, type ClientOptions, choiceFlag, configurationOf, printResult, serverOf } from "../command-options.js";
import { formatOf } from "../files/file-format.js";
import { Progress } from "../progress.js";
import { untilStopped } from "../stop-signals.js";
import { withTopics } from "../wiring/kafka/kafka-topics.js";
import { withUpdater } from "../wiring/offline.js";
import type { ServerClient } from "../wiring/server-client.js";

interface ImportOptions extends ClientOptions {
  readonly from: string;
  readonly format?: FileFormat;
  readonly map: string;
  readonly set: string;
}

/** Where side information goes, and what is there already. */
interface ItemsTarget {
  stored(items: readonly ItemId[]): Promise<readonly (ItemInfo | undefined)[]>;
  /** @returns how many were refused */
  put(items: readonly ItemInfo[]): Promise<number>;
}

const ITEMS_A_REQUEST = 5_000;
const QUESTIONS_AT_ONCE = 16;
/** Refused lines that are told one by one. */
const LISTED = 20;

export function addItems(program: Command, terminal: Terminal): void {
  const items = program.command("items").description("side information of items: titles, creators, tags");
  addClientOptions(items.command("import").description("side information from a file"))
    .requiredOption("--from <file>", "csv, tsv or ndjson, gzipped or not")
    .option("--format <format>", `${FILE_FORMATS.join(", ")} (default: by the file's name)`, choiceFlag(...FILE_FORMATS))
    .option("--map <field=column,...>", `columns of the fields ${ITEM_FIELDS.join(", ")}`, "")
    .option("--set <field=value,...>", "values that the file lacks, e.g. type=artist", "")
    .action((options: ImportOptions) => importItems(options, terminal));
}

async function importItems(options: ImportOptions, terminal: Terminal): Promise<void> {
  const format = formatOf(options.from, options.format);
  const map = {
    columns: parseAssignments(options.map, ITEM_FIELDS, "--map"),
    constants: parseAssignments(options.set, ITEM_FIELDS, "--set"),
  };
  const config = configurationOf(options, terminal);
  await untilStopped(async (signal) => {
    const server = await serverOf(options, config, signal);
    const run = (target: ItemsTarget): Promise<Counts> =>
      importInto(target, itemsFromFile(options.from, { format, map, signal, stored: (ids) => target.stored(ids) }), terminal);
    const local = config.source.kind === "kafka" ? intoTopic : offline;
    const counts = server ? await run(overHttp(server)) : await local(config, signal, run);
    printResult(terminal, options, counts, `${counts.items} items, ${counts.rejected} rejected`);
    if (signal.aborted) throw new KindredError("NOT_READY", "stopped before the end; run it again");
  });
}

interface Counts {
  readonly items: number;
  readonly rejected: number;
}

async function importInto(target: ItemsTarget, batches: AsyncIterable<ItemsBatch>, terminal: Terminal): Promise<Counts> {
  const progress = new Progress({ label: "items", unit: "items", stream: process.stderr });
  let [items, rejected] = [0, 0];
  for await (const batch of batches) {
    for (const { line, code, message } of batch.rejected.slice(0, Math.max(0, LISTED - rejected)))
      terminal.stderr.write(`warning ${code}: ${message} (line ${line})\n`);
    const refused = await target.put(batch.items);
    items += batch.items.length - refused;
    rejected += batch.rejected.length + refused;
    progress.update(items);
  }
  progress.stop();
  return { items, rejected };
}

/** Straight into the items topic: the group's catalogues follow. */
function intoTopic(config: Config, signal: AbortSignal, run: (target: ItemsTarget) => Promise<Counts>): Promise<Counts> {
  return withTopics(config, signal, ({ items, intake }) =>
    run({
      // Also what this command put a moment ago: labels of one item may be spread over the file.
      stored: async (ids) => {
        await items.caughtUp(signal);
        return items.getMany(ids);
      },
      put: async (infos) => {
        await intake.putItems(infos);
        return 0;
      },
    }),
  );
}

/** Stored with the next catalogue, which takes effect for the rows there are before this returns. */
function offline(config: Config, signal: AbortSignal, run: (target: ItemsTarget) => Promise<Counts>): Promise<Counts> {
  return withUpdater(config, { signal, create: true, index: false }, async (updater) => {
    const { journal } = updater.stores;
    const counts = await run({
      stored: (ids) => Promise.all(ids.map((id) => journal.items.get(id))),
      put: async (items) => {
        await journal.items.put(items);
        return 0;
      },
    });
    await updater.keeper.update();
    await updater.drained();
    return counts;
  });
}

function overHttp(server: ServerClient): ItemsTarget {
  const one = async (id: ItemId): Promise<ItemInfo | undefined> => {
    try {
      const { users: _, ...info } = await server.get<ItemInfo & { users: number }>(`/v1/items/${encodeURIComponent(id)}`);
      return info;
    } catch (error) {
      if (error instanceof KindredError && error.code === "UNKNOWN_ITEM") return undefined;
      throw error;
    }
  };
  return {
    stored: async (ids) => {
      const found: (ItemInfo | undefined)[] = [];
      for (let at = 0; at < ids.length; at += QUESTIONS_AT_ONCE)
        found.push(...(await Promise.all(ids.slice(at, at + QUESTIONS_AT_ONCE).map(one))));
      return found;
    },
    put: async (items) => {
      let refused = 0;
      for (let at = 0; at < items.length; at += ITEMS_A_REQUEST) {
        const answer = await server.postPatiently<{ rejected: unknown[] }>("/v1/items", { items: items.slice(at, at + ITEMS_A_REQUEST) });
        refused += answer.rejected.length;
      }
      return refused;
    },
  };
}
