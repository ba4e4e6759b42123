import { endianness } from "node:os";
import { crc32 } from "node:zlib";
import { KindredError } from "./errors.js";

/** Version of the row's layout that this code writes. */
export const ROW_VERSION = 1;
/** Bits of a fingerprint, and accumulators of a row. */
export const FINGERPRINT_BITS = 64;
/** Most live generations a row holds sums for. */
export const MAX_GENERATIONS = 3;
/** Most items of a profile, and most event ids of a ring. */
export const MAX_PROFILE_ITEMS = 1024;
export const MAX_RING = 1024;
/** Most dimensions of a generation. */
export const MAX_DIMS = 1024;

const MAGIC = 0x4b;
const HEADER_BYTES = 112;
const HAS_FINGERPRINT = 1 << 16;
// Word (u32) and double (f64) indices of the header's fields.
const W = {
  tag: 0,
  catalogue: 1,
  events: 2,
  epoch: 3,
  fpHi: 12,
  fpLo: 13,
  ringCapacity: 14,
  ringCount: 15,
  ringHead: 16,
  entries: 17,
  generations: 18,
  activation: 19,
} as const;
const D = { landmark: 2, updatedAt: 3, offset: 4, totalWeight: 5, erasedAt: 10 } as const;
const HASH_WORD = 24;
const ACCUMULATORS = HEADER_BYTES / 8;
const GENERATIONS = ACCUMULATORS + FINGERPRINT_BITS;
const FIRST_ENTRIES = 16;
/** Bytes of the checksum at the end. */
const CHECKSUM = 4;

/** The parts of a row whose size the catalogue decides. */
export interface RowLayout {
  readonly generations: readonly { readonly generation: number; readonly dims: number }[];
  readonly ringCapacity: number;
}

const layoutDoubles = (layout: RowLayout): number =>
  GENERATIONS + layout.generations.reduce((sum, g) => sum + 1 + g.dims, 0) + layout.ringCapacity;

if (endianness() !== "LE") throw new KindredError("INTERNAL", "rows are little endian and read in place: this machine is not");

/**
 * A user's row, in one buffer: flat, versioned, little endian.
 *
 * | bytes | field |
 * |---|---|
 * | 0 | magic 0x4b u8, version u8, flags u16 (1 = has a fingerprint) |
 * | 4 | catalogue u32, events folded u32, erasure epoch u32 |
 * | 16 | landmark (index on the grid) f64, newest event time f64, offset f64, total weight f64 |
 * | 48 | fingerprint hi u32, lo u32 |
 * | 56 | ring: capacity, count, next slot u32; entries u32; generations u32; activation u32 |
 * | 80 | erased at (epoch ms, 0 = never) f64; 8 bytes reserved |
 * | 96 | the row's 128-bit state hash, 4 x u32, most significant first |
 * | 112 | 64 accumulators f64; the i-th is bit i of the fingerprint, 0 = the lowest of lo |
 * | 624 | each live generation: number u32, dims u32, sums f64 x dims |
 * | | ring: event ids as 64-bit hashes (hi u32, lo u32) x capacity |
 * | | entries, strongest first: item ordinal u32 (of this partition), weight i32 at the entry's own landmark, event time f64 |
 *
 * CRC-32 of all before it, u32, at the end: RocksDB as packaged hands out a data block with flipped bytes without a word.
 *
 * All f64 hold integers exactly. Size: 628 + (8 + 8 a dimension) a live generation + 8 a ring slot + 16 a profile item;
 * with the defaults (generation 0 of 128 dimensions, ring 32, 128 items) a full row has 3,964 bytes.
 */
export class Row {
  u32: Uint32Array;
  i32: Int32Array;
  f64: Float64Array;
  /** Index in f64 of the first sum of each generation. */
  readonly sumsAt: readonly number[];
  readonly #ringWord: number;
  /** Index in u32 and i32 of the first entry; an entry has four words. */
  readonly entryWord: number;
  #capacity: number;

  private constructor(
    readonly layout: RowLayout,
    capacity: number,
  ) {
    const fixed = layoutDoubles(layout);
    const buffer = new ArrayBuffer(8 * fixed + 16 * capacity);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.#capacity = capacity;
    this.#ringWord = 2 * (fixed - layout.ringCapacity);
    this.entryWord = 2 * fixed;
    let at = GENERATIONS;
    this.sumsAt = layout.generations.map(({ dims }) => {
      const sums = at + 1;
      at = sums + dims;
      return sums;
    });
  }

  /** An empty row: nothing folded, landmark -1. @param room for so many entries without growing. @throws KindredError INVALID_ARGUMENT */
  static create(layout: RowLayout, room = FIRST_ENTRIES): Row {
    if (
      layout.generations.length > MAX_GENERATIONS ||
      layout.generations.some((g) => !(g.dims >= 1 && g.dims <= MAX_DIMS)) ||
      !(layout.ringCapacity >= 0 && layout.ringCapacity <= MAX_RING)
    )
      throw new KindredError("INVALID_ARGUMENT", "a row has at most 3 generations of at most 1024 dimensions and a ring of at most 1024");
    const row = new Row(layout, Math.max(FIRST_ENTRIES, room));
    row.u32[W.tag] = MAGIC | (ROW_VERSION << 8);
    row.u32[W.ringCapacity] = layout.ringCapacity;
    row.u32[W.generations] = layout.generations.length;
    row.f64[D.landmark] = -1;
    layout.generations.forEach((g, i) => {
      const word = 2 * ((row.sumsAt[i] as number) - 1);
      row.u32[word] = g.generation;
      row.u32[word + 1] = g.dims;
    });
    return row;
  }

  /** Copies and checks an encoded row. @throws KindredError DIRECTORY_NEWER (a later version), STATE_CORRUPT (not a row, or lengths that do not fit) */
  static decode(bytes: Uint8Array, where?: string): Row {
    const corrupt = (why: string): KindredError => new KindredError("STATE_CORRUPT", `a row is damaged: ${why}`, where);
    if (bytes.length < 8 * GENERATIONS) throw corrupt(`${bytes.length} bytes are too few`);
    if (bytes[0] !== MAGIC) throw corrupt("it does not begin as a row does");
    if ((bytes[1] as number) > ROW_VERSION)
      throw new KindredError("DIRECTORY_NEWER", `a row has version ${bytes[1]}, this version of kindred reads up to ${ROW_VERSION}`, where);
    if (bytes[1] === 0) throw corrupt("version 0");
    const content = bytes.subarray(0, bytes.length - CHECKSUM);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (view.getUint32(content.length, true) !== crc32(content)) throw corrupt("its checksum does not fit");
    const word = (index: number): number => view.getUint32(4 * index, true);
    if (word(W.generations) > MAX_GENERATIONS || word(W.ringCapacity) > MAX_RING || word(W.entries) > MAX_PROFILE_ITEMS)
      throw corrupt("a count is out of range");
    const generations: { generation: number; dims: number }[] = [];
    let at = 8 * GENERATIONS;
    for (let g = 0; g < word(W.generations); g++) {
      const dims = at + 8 <= content.length ? view.getUint32(at + 4, true) : 0;
      if (dims < 1 || dims > MAX_DIMS) throw corrupt("dimensions out of range");
      generations.push({ generation: view.getUint32(at, true), dims });
      at += 8 + 8 * dims;
    }
    const layout = { generations, ringCapacity: word(W.ringCapacity) };
    if (content.length !== 8 * layoutDoubles(layout) + 16 * word(W.entries)) throw corrupt(`${bytes.length} bytes do not fit its counts`);
    if (word(W.ringCount) > layout.ringCapacity || word(W.ringHead) >= Math.max(1, layout.ringCapacity))
      throw corrupt("the ring's counts do not fit");
    const row = new Row(layout, Math.max(FIRST_ENTRIES, word(W.entries)));
    new Uint8Array(row.f64.buffer).set(content);
    return row;
  }

  get encodedLength(): number {
    return 4 * this.entryWord + 16 * this.entryCount + CHECKSUM;
  }

  /** Writes the used part of the row at `at` of `target`, which has room for `encodedLength` bytes. */
  encodeInto(target: Uint8Array, at: number): void {
    const content = new Uint8Array(this.f64.buffer, 0, this.encodedLength - CHECKSUM);
    target.set(content, at);
    new DataView(target.buffer, target.byteOffset + at + content.length).setUint32(0, crc32(content), true);
  }

  encode(): Uint8Array {
    const bytes = new Uint8Array(this.encodedLength);
    this.encodeInto(bytes, 0);
    return bytes;
  }

  get catalogue(): number {
    return this.u32[W.catalogue] as number;
  }
  set catalogue(value: number) {
    this.u32[W.catalogue] = value;
  }
  /** Which of the partition's activations the row was computed after. */
  get activation(): number {
    return this.u32[W.activation] as number;
  }
  set activation(value: number) {
    this.u32[W.activation] = value;
  }
  get events(): number {
    return this.u32[W.events] as number;
  }
  set events(value: number) {
    this.u32[W.events] = Math.min(value, 0xffffffff);
  }
  /** How often the user was erased. */
  get erasureEpoch(): number {
    return this.u32[W.epoch] as number;
  }
  set erasureEpoch(value: number) {
    this.u32[W.epoch] = value;
  }
  get erasedAt(): number {
    return this.f64[D.erasedAt] as number;
  }
  set erasedAt(value: number) {
    this.f64[D.erasedAt] = value;
  }
  get landmark(): number {
    return this.f64[D.landmark] as number;
  }
  set landmark(value: number) {
    this.f64[D.landmark] = value;
  }
  get updatedAt(): number {
    return this.f64[D.updatedAt] as number;
  }
  set updatedAt(value: number) {
    this.f64[D.updatedAt] = value;
  }
  get offset(): number {
    return this.f64[D.offset] as number;
  }
  set offset(value: number) {
    this.f64[D.offset] = value;
  }
  /** Sum of |effective weight| over the profile, times WEIGHT_ONE. */
  get totalWeight(): number {
    return this.f64[D.totalWeight] as number;
  }
  set totalWeight(value: number) {
    this.f64[D.totalWeight] = value;
  }

  get hasFingerprint(): boolean {
    return ((this.u32[W.tag] as number) & HAS_FINGERPRINT) !== 0;
  }
  get fingerprintHi(): number {
    return this.u32[W.fpHi] as number;
  }
  get fingerprintLo(): number {
    return this.u32[W.fpLo] as number;
  }
  setFingerprint(has: boolean, hi: number, lo: number): void {
    this.u32[W.tag] = has ? (this.u32[W.tag] as number) | HAS_FINGERPRINT : (this.u32[W.tag] as number) & ~HAS_FINGERPRINT;
    this.u32[W.fpHi] = hi;
    this.u32[W.fpLo] = lo;
  }

  /** Index in f64 of the first accumulator. */
  get accumulatorsAt(): number {
    return ACCUMULATORS;
  }
  /** Index in u32 of the four words of the state hash, most significant first. */
  get hashWord(): number {
    return HASH_WORD;
  }

  get ringCount(): number {
    return this.u32[W.ringCount] as number;
  }

  /** Whether the ring holds this hash. */
  ringHas(hi: number, lo: number): boolean {
    const u32 = this.u32;
    const start = this.#ringWord;
    const end = start + 2 * (u32[W.ringCount] as number);
    for (let word = start; word < end; word += 2) if (u32[word] === hi && u32[word + 1] === lo) return true;
    return false;
  }

  /** Adds a hash in the place of the oldest when the ring is full. */
  ringAdd(hi: number, lo: number): void {
    const capacity = this.layout.ringCapacity;
    if (capacity === 0) return;
    const u32 = this.u32;
    const head = u32[W.ringHead] as number;
    u32[this.#ringWord + 2 * head] = hi;
    u32[this.#ringWord + 2 * head + 1] = lo;
    u32[W.ringHead] = head + 1 === capacity ? 0 : head + 1;
    if ((u32[W.ringCount] as number) < capacity) u32[W.ringCount] = (u32[W.ringCount] as number) + 1;
  }

  /** Index in u32 of the ring's n-th hash, oldest first. */
  ringWordAt(n: number): number {
    const capacity = this.layout.ringCapacity;
    return this.#ringWord + 2 * (((this.u32[W.ringHead] as number) + capacity - this.ringCount + n) % capacity);
  }

  /** The slot that is written next. */
  get ringHead(): number {
    return this.u32[W.ringHead] as number;
  }

  /** The ring's hashes as they lie: until it is full, from the oldest on. A view. */
  ringBytes(): Uint8Array {
    return new Uint8Array(this.f64.buffer, 4 * this.#ringWord, 8 * this.ringCount);
  }

  /** Makes an empty ring one that `ringBytes` and `ringHead` told of; both fit its capacity. */
  setRing(count: number, head: number, bytes: Uint8Array): void {
    this.u32[W.ringCount] = count;
    this.u32[W.ringHead] = head;
    this.ringBytes().set(bytes);
  }

  get entryCount(): number {
    return this.u32[W.entries] as number;
  }
  entryItem(i: number): number {
    return this.u32[this.entryWord + 4 * i] as number;
  }
  entryWeight(i: number): number {
    return this.i32[this.entryWord + 4 * i + 1] as number;
  }
  entryTs(i: number): number {
    return this.f64[(this.entryWord >> 1) + 2 * i + 1] as number;
  }

  setEntry(i: number, item: number, weight: number, ts: number): void {
    const word = this.entryWord + 4 * i;
    this.u32[word] = item;
    this.i32[word + 1] = weight;
    this.f64[(word >> 1) + 1] = ts;
  }

  /** The entry of an item, or -1. */
  findEntry(item: number): number {
    const u32 = this.u32;
    const start = this.entryWord;
    const end = start + 4 * (u32[W.entries] as number);
    for (let word = start; word < end; word += 4) if (u32[word] === item) return (word - start) >> 2;
    return -1;
  }

  insertEntry(at: number, item: number, weight: number, ts: number): void {
    const count = this.entryCount;
    if (count === this.#capacity) this.#grow();
    const word = this.entryWord + 4 * at;
    if (at < count) this.u32.copyWithin(word + 4, word, this.entryWord + 4 * count);
    this.u32[W.entries] = count + 1;
    this.setEntry(at, item, weight, ts);
  }

  removeEntry(at: number): void {
    const count = this.entryCount;
    const word = this.entryWord + 4 * at;
    this.u32.copyWithin(word, word + 4, this.entryWord + 4 * count);
    this.u32[W.entries] = count - 1;
  }

  /** Takes the entry at `from` out and puts it in so that it ends at `to`. */
  moveEntry(from: number, to: number): void {
    if (from === to) return;
    const item = this.entryItem(from);
    const weight = this.entryWeight(from);
    const ts = this.entryTs(from);
    const a = this.entryWord + 4 * from;
    const b = this.entryWord + 4 * to;
    if (from < to) this.u32.copyWithin(a, a + 4, b + 4);
    else this.u32.copyWithin(b + 4, b, a);
    this.setEntry(to, item, weight, ts);
  }

  /** The same row with room for other generations and another ring: sums are zero, the ring keeps its newest. */
  relaid(layout: RowLayout): Row {
    const row = Row.create(layout);
    row.u32.set(this.u32.subarray(W.catalogue, W.ringCapacity), W.catalogue);
    row.u32[W.tag] = this.u32[W.tag] as number;
    row.activation = this.activation;
    row.f64[D.erasedAt] = this.erasedAt;
    row.u32.set(this.u32.subarray(HASH_WORD, HASH_WORD + 4), HASH_WORD);
    for (let n = Math.max(0, this.ringCount - layout.ringCapacity); n < this.ringCount; n++) {
      const word = this.ringWordAt(n);
      row.ringAdd(this.u32[word] as number, this.u32[word + 1] as number);
    }
    for (let i = 0; i < this.entryCount; i++) row.insertEntry(i, this.entryItem(i), this.entryWeight(i), this.entryTs(i));
    return row;
  }

  #grow(): void {
    const capacity = Math.min(MAX_PROFILE_ITEMS, 2 * this.#capacity);
    const buffer = new ArrayBuffer(4 * this.entryWord + 16 * capacity);
    new Uint8Array(buffer).set(new Uint8Array(this.f64.buffer));
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.#capacity = capacity;
  }
}
