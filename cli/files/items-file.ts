import type { Command } from "commander";
import type { ItemId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import { parseAssignments } from "../../streams/files/column-map.js";
import { FILE_FORMATS, type FileFormat } from "../../streams/files/file-rows.js";
import { ITEM_FIELDS, type ItemRowOptions } from "../../streams/files/item-rows.js";
import { itemsFromFile } from "../../streams/files/items-from-file.js";
import { choiceFlag } from "../command-options.js";
import type { Reading } from "./event-file.js";
import { formatOf } from "./file-format.js";

/** Side information beside what a command is about. */
export interface ItemsFileFlags {
  readonly items?: string;
  readonly itemsFormat?: FileFormat;
  readonly itemsMap: string;
  readonly itemsSet: string;
}

export interface ItemsFile extends ItemRowOptions {
  readonly path: string;
  /** By the file's name where it is not given. */
  readonly format?: FileFormat | undefined;
}

/** @param flags of the file itself, e.g. "--items <file>" */
export function addItemsFileOptions(command: Command, flags: string, about: string): Command {
  return command
    .option(flags, about)
    .option(
      "--items-format <format>",
      `of the items: ${FILE_FORMATS.join(", ")} (default: by the file's name)`,
      choiceFlag(...FILE_FORMATS),
    )
    .option("--items-map <field=column,...>", `columns of the fields ${ITEM_FIELDS.join(", ")}`, "")
    .option("--items-set <field=value,...>", "values that the items' file lacks, e.g. type=artist", "");
}

/** undefined where none is given. @throws KindredError USAGE */
export function itemsFileOf({ items, itemsFormat, itemsMap, itemsSet }: ItemsFileFlags): ItemsFile | undefined {
  if (items === undefined) return undefined;
  const columns = parseAssignments(itemsMap, ITEM_FIELDS, "--items-map");
  const constants = parseAssignments(itemsSet, ITEM_FIELDS, "--items-set");
  return { path: items, format: itemsFormat, map: { columns, constants } };
}

export interface ReadItems {
  readonly infos: Map<ItemId, ItemInfo>;
  /** Lines that say nothing usable. */
  readonly rejected: number;
}

/** What is known of items, by id, of a file as `items import` takes it. @throws KindredError USAGE, FILE_FORMAT */
export async function readItemsFile(
  { path, format, map }: ItemsFile,
  { signal, onRejected }: Omit<Reading, "onProgress">,
): Promise<ReadItems> {
  const infos = new Map<ItemId, ItemInfo>();
  // Labels of one item may be spread over the file.
  const stored = async (ids: readonly ItemId[]): Promise<(ItemInfo | undefined)[]> => ids.map((id) => infos.get(id));
  let rejected = 0;
  for await (const batch of itemsFromFile(path, { format: formatOf(path, format, "--items-format"), map, signal, stored })) {
    for (const info of batch.items) infos.set(info.item, info);
    for (const { line, code, message } of batch.rejected) onRejected(code, message, `${path} line ${line}`);
    rejected += batch.rejected.length;
  }
  return { infos, rejected };
}
