import { KindredError } from "../schemas/errors.js";
import type { CatalogueNumber } from "../schemas/ids.js";
import { MAX_PROFILE_ITEMS, MAX_RING, Row } from "../schemas/row.js";
import { ByteReader, writeVarint } from "./byte-reader.js";
import type { FoldContext } from "./fold-context.js";
import type { ItemFinder } from "./item-finder.js";
import { ITEM_ID_SLACK, ItemIdBytes, MAX_ITEM_ID_BYTES } from "./item-id-bytes.js";
import type { ItemTable } from "./item-table.js";

export const ROW_RECORD_VERSION = 1;
/** Version, nine varints of at most 8 bytes, erased at. */
const MAX_HEAD_BYTES = 1 + 9 * 8 + 8;
/** An entry's weight and time. */
const MAX_ENTRY_BYTES = MAX_ITEM_ID_BYTES + 5 + 8;

/**
 * A row without what its profile and catalogue give again: accumulators, sums, total weight, fingerprint and hash.
 *
 * version u8 = 1; varints: activation, catalogue, events, offset, newest event time, landmark + 1, entries, erasure epoch; where that is
 * above 0: erased at f64; the ring: varint count, where that is above 0 varint of the slot that is written next, then as many
 * hashes as they lie (hi u32, lo u32); then the entries, strongest first, each: varint bytes of the item id, the id in UTF-8, varint
 * of the weight (zigzag: 0, -1, 1, -2, ...), varint of the newest event time less its own. Little endian.
 */
export class RowRecordWriter {
  readonly #ids: ItemIdBytes;
  readonly bytes = Buffer.allocUnsafeSlow(MAX_HEAD_BYTES + 8 * MAX_RING + MAX_ENTRY_BYTES * MAX_PROFILE_ITEMS + ITEM_ID_SLACK);
  readonly #view = new DataView(this.bytes.buffer);

  constructor(items: ItemTable) {
    this.#ids = new ItemIdBytes(items);
  }

  /** Writes the row into `bytes` from 0; gives its length. */
  write(row: Row): number {
    const { bytes } = this;
    const ids = this.#ids;
    const view = this.#view;
    const { updatedAt, ringCount, entryCount } = row;
    bytes[0] = ROW_RECORD_VERSION;
    let at = writeVarint(bytes, 1, row.activation);
    at = writeVarint(bytes, at, row.catalogue);
    at = writeVarint(bytes, at, row.events);
    at = writeVarint(bytes, at, row.offset);
    at = writeVarint(bytes, at, updatedAt);
    at = writeVarint(bytes, at, row.landmark + 1);
    at = writeVarint(bytes, at, entryCount);
    at = writeVarint(bytes, at, row.erasureEpoch);
    if (row.erasureEpoch > 0) at = bytes.writeDoubleLE(row.erasedAt, at);
    at = writeVarint(bytes, at, ringCount);
    if (ringCount > 0) {
      at = writeVarint(bytes, at, row.ringHead);
      const ring = row.ringBytes();
      bytes.set(ring, at);
      at += ring.length;
    }
    for (let i = 0; i < entryCount; i++) {
      at = ids.copy(row.entryItem(i), view, at);
      const weight = row.entryWeight(i);
      at = writeVarint(bytes, at, ((weight << 1) ^ (weight >> 31)) >>> 0);
      at = writeVarint(bytes, at, updatedAt - row.entryTs(i));
    }
    return at;
  }
}

/** What has to be known before a row can be read: the catalogue that its size and what it gives again depend on. */
export interface RowRecordHead {
  readonly activation: number;
  readonly catalogue: CatalogueNumber;
}

/** @throws KindredError STATE_CORRUPT, DIRECTORY_NEWER */
export function readRowHead(value: Uint8Array, where: string): RowRecordHead {
  const reader = new ByteReader(value, "a row of the changelog", where);
  checkVersion(reader.byte(), where);
  return { activation: reader.varint(), catalogue: reader.varint() as CatalogueNumber };
}

/**
 * The row, with what is derived still to be computed.
 * @param context of the record's activation @param items of the context's table @throws KindredError STATE_CORRUPT, DIRECTORY_NEWER
 */
export function readRowRecord(value: Uint8Array, context: FoldContext, items: ItemFinder, where: string): Row {
  const reader = new ByteReader(value, "a row of the changelog", where);
  checkVersion(reader.byte(), where);
  const [activation, catalogue, events] = [reader.varint(), reader.varint(), reader.varint()];
  const [offset, updatedAt, landmark] = [reader.varint(), reader.varint(), reader.varint() - 1];
  const entries = reader.varint();
  if (entries > MAX_PROFILE_ITEMS) throw reader.damaged("it has too many entries");
  const row = Row.create(context.layout, entries);
  row.activation = activation;
  row.catalogue = catalogue;
  row.events = events;
  row.offset = offset;
  row.updatedAt = updatedAt;
  row.landmark = landmark;
  row.erasureEpoch = reader.varint();
  if (row.erasureEpoch > 0) row.erasedAt = reader.double();
  readRing(reader, row);
  for (let i = 0; i < entries; i++) {
    const item = reader.item(items);
    const zigzag = reader.varint();
    row.insertEntry(i, item, (zigzag >>> 1) ^ -(zigzag & 1), updatedAt - reader.varint());
  }
  if (!reader.ended) throw reader.damaged("it goes on behind its end");
  return row;
}

function readRing(reader: ByteReader, row: Row): void {
  const count = reader.varint();
  if (count === 0) return;
  const capacity = row.layout.ringCapacity;
  const head = reader.varint();
  if (count > capacity || head >= capacity || (count < capacity && head !== count))
    throw reader.damaged("its ring does not fit the catalogue");
  row.setRing(count, head, reader.bytes(8 * count));
}

function checkVersion(version: number, where: string): void {
  if (version > ROW_RECORD_VERSION)
    throw new KindredError(
      "DIRECTORY_NEWER",
      `a row of the changelog has version ${version}, this version of kindred reads up to ${ROW_RECORD_VERSION}`,
      where,
    );
}
