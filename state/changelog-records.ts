import { KindredError } from "../schemas/errors.js";
import type { CatalogueNumber, UserId } from "../schemas/ids.js";
import type { ChangelogRecord } from "../schemas/ports/changelog.js";
import { ByteReader } from "./byte-reader.js";
import type { ItemTable } from "./item-table.js";
import { tombstoneKey } from "./keys.js";
import type { PartitionMeta } from "./partition-meta.js";
import { RowRecordWriter } from "./row-record.js";
import type { Tombstone } from "./tombstone.js";
import type { UserRow } from "./user-row.js";
import type { WriteArena } from "./write-arena.js";

/**
 * What a commit changed, as records of a compacted topic. Keys are text; docs/FILES.md says it for others.
 *
 * | key | value |
 * |---|---|
 * | `e/` 32 hex digits of the user's tombstone key (keys.ts) | version u8 = 1, erasure epoch u32, erased at f64, little endian. Never deleted |
 * | `u/` user | the row (row-record.ts); null: there is none any more |
 * | `p` | JSON: where the commit ended and what its rows add up to (`PositionRecord`) |
 *
 * A commit's records come in this order: with each `p` the rows before it are those of a commit.
 */
export const POSITION_KEY: Uint8Array = Buffer.from("p");
const SLASH = 0x2f;
const ROW = 0x75;
const ERASED = 0x65;
const VERSION = 1;
const ERASED_BYTES = 13;

/** What a partition's meta says that does not depend on where its rows are stored. */
export type PositionRecord = Omit<PartitionMeta, "items" | "commit">;

/** Writes the records of a partition's commits. */
export class ChangelogEncoder {
  readonly #rows: RowRecordWriter;

  constructor(items: ItemTable) {
    this.#rows = new RowRecordWriter(items);
  }

  /** The records of a commit, which lie in `arena`. @param erased those of `touched` who were erased by it, also if they acted again */
  encode(touched: readonly UserRow[], erased: ReadonlySet<UserId>, position: PartitionMeta, arena: WriteArena): ChangelogRecord[] {
    const records: ChangelogRecord[] = [];
    for (const { user, row } of touched)
      if (erased.has(user))
        records.push({ key: erasedKey(user), value: encodeErased({ epoch: row.erasureEpoch, erasedAt: row.erasedAt }) });
    for (const user of touched) records.push({ key: rowKeyOf(user, arena), value: user.exists ? this.#row(user, arena) : null });
    records.push({ key: POSITION_KEY, value: encodePosition(position) });
    return records;
  }

  #row({ row }: UserRow, arena: WriteArena): Uint8Array {
    const length = this.#rows.write(row);
    const value = arena.take(length);
    this.#rows.bytes.copy(value, 0, 0, length);
    return value;
  }
}

/** A record of the changelog by what it is about; undefined for one that this version does not know. @throws KindredError STATE_CORRUPT, DIRECTORY_NEWER */
export function readRecord({ key, value }: ChangelogRecord, where: string): ReadRecord | undefined {
  if (key.length === 1 && key[0] === POSITION_KEY[0]) return { kind: "position", position: decodePosition(value, where) };
  if (key[1] !== SLASH) return undefined;
  const name = Buffer.from(key.buffer, key.byteOffset + 2, key.length - 2).toString("utf8");
  if (key[0] === ROW) return { kind: "row", user: name as UserId, value };
  if (key[0] !== ERASED) return undefined;
  if (value === null || !/^[0-9a-f]{32}$/.test(name))
    throw new KindredError("STATE_CORRUPT", "an erasure in the changelog is damaged", where);
  return { kind: "erased", name, erased: decodeErased(value, where) };
}

export type ReadRecord =
  | { readonly kind: "row"; readonly user: UserId; readonly value: Uint8Array | null }
  /** `name`: 32 hex digits of the tombstone key. */
  | { readonly kind: "erased"; readonly name: string; readonly erased: Tombstone }
  | { readonly kind: "position"; readonly position: PositionRecord };

function rowKeyOf(user: UserRow, arena: WriteArena): Uint8Array {
  const key = arena.take(user.key.length + 1);
  key[0] = ROW;
  key[1] = SLASH;
  user.key.copy(key, 2, 1);
  return key;
}

const erasedKey = (user: UserId): Uint8Array => Buffer.from(`e/${tombstoneKey(user).toString("hex", 1)}`);

function encodeErased({ epoch, erasedAt }: Tombstone): Uint8Array {
  const bytes = Buffer.alloc(ERASED_BYTES);
  bytes.writeUInt8(VERSION, 0);
  bytes.writeUInt32LE(epoch, 1);
  bytes.writeDoubleLE(erasedAt, 5);
  return bytes;
}

function decodeErased(value: Uint8Array, where: string): Tombstone {
  const reader = new ByteReader(value, "an erasure in the changelog", where);
  checkVersion(reader.byte(), where);
  const epoch = reader.uint32();
  const erasedAt = reader.double();
  if (!reader.ended) throw reader.damaged("it goes on behind its end");
  return { epoch, erasedAt };
}

function encodePosition({ items: _items, commit: _commit, ...position }: PartitionMeta): Uint8Array {
  return Buffer.from(JSON.stringify({ version: VERSION, ...position } satisfies PositionRecord & { version: number }));
}

function decodePosition(value: Uint8Array | null, where: string): PositionRecord {
  let read: (PositionRecord & { version: number }) | undefined;
  try {
    read = value === null ? undefined : (JSON.parse(Buffer.from(value).toString("utf8")) as typeof read);
  } catch {
    // Said below.
  }
  if (typeof read?.version === "number") checkVersion(read.version, where);
  if (!isPosition(read)) throw new KindredError("STATE_CORRUPT", "a position in the changelog is damaged", where);
  const { offset, eventTime, activations, migratedTo, hash, rows, tombstones } = read;
  return { offset, eventTime, activations, migratedTo, hash, rows, tombstones };
}

function isPosition(read: Partial<PositionRecord> | null | undefined): read is PositionRecord {
  return (
    typeof read === "object" &&
    read !== null &&
    [read.offset, read.eventTime, read.rows, read.tombstones].every(isCount) &&
    typeof read.hash === "string" &&
    /^[0-9a-f]{32}$/.test(read.hash) &&
    (read.migratedTo === null || typeof read.migratedTo === "string") &&
    Array.isArray(read.activations) &&
    read.activations.every(
      (one: { activation?: unknown; catalogue?: CatalogueNumber }) => isCount(one?.activation) && isCount(one.catalogue),
    )
  );
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

function checkVersion(version: number, where: string): void {
  if (version > VERSION)
    throw new KindredError(
      "DIRECTORY_NEWER",
      `a record of the changelog has version ${version}, this version of kindred reads up to ${VERSION}`,
      where,
    );
}
