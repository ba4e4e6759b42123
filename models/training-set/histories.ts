import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { KindredError } from "../../schemas/errors.js";
import type { ItemId } from "../../schemas/ids.js";
import type { Histories } from "../../schemas/model.js";
import { GrowingRows } from "./growing-rows.js";

/** Longest line: a history of some 10 million items. */
const MAX_LINE_BYTES = 64 << 20;
const MAX_ID_UNITS = 128;
const NEWLINE = 0x0a;

/**
 * A split file, `user item item ...` a line, gzipped or not, in UTF-8:
 * - ids are parted by spaces or tabs, any number of them; every other character may be in an id of 1 to 128 UTF-16 code units;
 * - lines end with \n or \r\n, the last one may lack it; a byte order mark is skipped, blank lines too;
 * - an item twice in a history counts once; a user on several lines has all of their items;
 * - a user without items is kept, with an empty history.
 * Items and users are numbered as they first come.
 * @throws KindredError FILE_FORMAT (can't be read, not UTF-8, holds no item), FILE_LINE with the line's number, FILE_TRUNCATED
 */
export async function readHistories(path: string): Promise<Histories> {
  const builder = new HistoriesBuilder();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let number = 0;
  for await (const bytes of lines(await bytesOf(path), path)) {
    number++;
    let line: string;
    try {
      line = decoder.decode(bytes);
    } catch (cause) {
      throw new KindredError("FILE_LINE", "the line is not UTF-8", `${path} line ${number}`, { cause });
    }
    const ids = line.split(/[ \t\r]+/).filter((id) => id !== "");
    const long = ids.find((id) => id.length > MAX_ID_UNITS);
    if (long !== undefined)
      throw new KindredError("FILE_LINE", `an id is longer than ${MAX_ID_UNITS} characters`, `${path} line ${number}`);
    const [user, ...items] = ids;
    if (user !== undefined) builder.add(user, items as ItemId[]);
  }
  const histories = builder.build();
  if (histories.items.length === 0) throw new KindredError("FILE_FORMAT", "the file holds no item", path);
  return histories;
}

/**
 * Histories from users and their items, in any number of portions. 8 bytes an interaction while they are gathered, 4 more when they are
 * built: fifty million fit into a gigabyte.
 */
export class HistoriesBuilder {
  readonly #items = new Map<ItemId, number>();
  readonly #users = new Map<string, number>();
  /** Of portion p: whose it is, and where its rows begin. */
  readonly #owners = new GrowingRows();
  readonly #begins = new GrowingRows();
  readonly #rows = new GrowingRows();

  add(user: string, items: readonly ItemId[]): void {
    this.#owners.push(numberOf(this.#users, user));
    this.#begins.push(this.#rows.length);
    for (const item of items) this.#rows.push(numberOf(this.#items, item));
  }

  build(): Histories {
    const { starts, rows } = this.#byUser();
    const length = distinctByUser(starts, rows, this.#items.size);
    return {
      items: [...this.#items.keys()],
      users: [...this.#users.keys()],
      starts,
      rows: length === rows.length ? rows : rows.slice(0, length),
    };
  }

  /** All portions of a user one after the other, in their order. */
  #byUser(): Pick<Histories, "starts" | "rows"> {
    const [owners, begins, all] = [this.#owners.values, this.#begins.values, this.#rows.values];
    const starts = new Uint32Array(this.#users.size + 1);
    const endOf = (portion: number): number => begins[portion + 1] ?? all.length;
    for (const [portion, user] of owners.entries()) starts[user + 1]! += endOf(portion) - begins[portion]!;
    for (let user = 0; user < this.#users.size; user++) starts[user + 1]! += starts[user]!;
    const rows = new Uint32Array(all.length);
    const next = starts.slice();
    for (const [portion, user] of owners.entries()) {
      rows.set(all.subarray(begins[portion], endOf(portion)), next[user]);
      next[user]! += endOf(portion) - begins[portion]!;
    }
    return { starts, rows };
  }
}

function numberOf<Id extends string>(numbers: Map<Id, number>, id: Id): number {
  const known = numbers.get(id);
  if (known !== undefined) return known;
  numbers.set(ownCopy(id), numbers.size);
  return numbers.size - 1;
}

/** A part of a line keeps the whole line in memory: V8 copies only what is shorter than 13. */
const ownCopy = <Id extends string>(id: Id): Id => (id.length < 13 ? id : (Buffer.from(id, "utf16le").toString("utf16le") as Id));

/** Each row of a user once, where it first is, without gaps. @returns how many are left; `starts` are moved along */
function distinctByUser(starts: Uint32Array, rows: Uint32Array, items: number): number {
  /** The newest user, counted from 1, who has the item. */
  const seenBy = new Uint32Array(items);
  let [from, kept] = [0, 0];
  for (let user = 1; user < starts.length; user++) {
    const to = starts[user]!;
    for (let at = from; at < to; at++) {
      const row = rows[at]!;
      if (seenBy[row] === user) continue;
      seenBy[row] = user;
      rows[kept++] = row;
    }
    [from, starts[user]] = [to, kept];
  }
  return kept;
}

/** How many users have each item. */
export function popularityOf({ items, rows }: Histories): Uint32Array {
  const counts = new Uint32Array(items.length);
  for (const row of rows) counts[row]!++;
  return counts;
}

async function bytesOf(path: string): Promise<Readable> {
  try {
    const file = await open(path);
    const head = Buffer.alloc(2);
    await file.read(head, 0, 2, 0).finally(() => file.close());
    const source = createReadStream(path, { highWaterMark: 1 << 20 });
    if (head[0] !== 0x1f || head[1] !== 0x8b) return source;
    const unpacked = createGunzip({ chunkSize: 1 << 20 });
    source.on("error", (error) => unpacked.destroy(error));
    return source.pipe(unpacked);
  } catch (cause) {
    throw new KindredError("FILE_FORMAT", `the file can't be read: ${(cause as Error).message}`, path, { cause });
  }
}

/** Lines as bytes, without their \n. */
async function* lines(source: Readable, path: string): AsyncGenerator<Uint8Array> {
  let carry: Buffer[] = [];
  let carried = 0;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
        yield Buffer.concat([...carry, chunk.subarray(start, end)]);
        [carry, carried, start] = [[], 0, end + 1];
      }
      carry.push(chunk.subarray(start));
      carried += chunk.length - start;
      if (carried > MAX_LINE_BYTES) throw new KindredError("FILE_LINE", `a line is longer than ${MAX_LINE_BYTES} bytes`, path);
    }
  } catch (error) {
    throw readError(error, path);
  }
  if (carried > 0) yield Buffer.concat(carry);
}

function readError(error: unknown, path: string): KindredError {
  if (error instanceof KindredError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const torn = code?.startsWith("Z_") === true;
  return new KindredError(torn ? "FILE_TRUNCATED" : "FILE_FORMAT", `the file can't be read: ${message}`, path, { cause: error });
}
