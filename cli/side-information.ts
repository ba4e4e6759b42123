import type { ItemId } from "../schemas/ids.js";
import type { ItemInfo } from "../schemas/item.js";
import { parseAssignments } from "../streams/files/column-map.js";
import type { FileFormat } from "../streams/files/file-rows.js";
import { ITEM_FIELDS } from "../streams/files/item-rows.js";
import { itemsFromFile } from "../streams/files/items-from-file.js";
import type { Terminal } from "./command-frame.js";
import { formatOf } from "./file-flags.js";

export interface SideInformationFile {
  readonly path: string;
  /** By the file's name where it is not given. */
  readonly format?: FileFormat;
  readonly map: string;
  readonly set: string;
}

/** What is known of items, by id, of a file as `items import` takes it; refused lines are counted on stderr. @throws KindredError USAGE, FILE_FORMAT */
export async function sideInformation(
  { path, map, set, ...file }: SideInformationFile,
  terminal: Terminal,
): Promise<Map<ItemId, ItemInfo>> {
  const options = {
    format: formatOf(path, file.format),
    map: { columns: parseAssignments(map, ITEM_FIELDS, "--items-map"), constants: parseAssignments(set, ITEM_FIELDS, "--items-set") },
  };
  const infos = new Map<ItemId, ItemInfo>();
  let rejected = 0;
  for await (const batch of itemsFromFile(path, { ...options, stored: async (ids) => ids.map((id) => infos.get(id)) })) {
    for (const info of batch.items) infos.set(info.item, info);
    rejected += batch.rejected.length;
  }
  if (rejected > 0) terminal.stderr.write(`warning: ${rejected} lines of ${path} say nothing of an item\n`);
  return infos;
}
