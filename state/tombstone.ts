import type { EpochMs } from "../schemas/ids.js";

/** What is left of an erased user, under a key that the id cannot be read from: which events never count again. */
export interface Tombstone {
  /** How often the user was erased. */
  readonly epoch: number;
  readonly erasedAt: EpochMs;
}

/** Epoch u32, erased at f64, little endian. */
export function encodeTombstone({ epoch, erasedAt }: Tombstone): Uint8Array {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32LE(epoch, 0);
  bytes.writeDoubleLE(erasedAt, 4);
  return bytes;
}

export function decodeTombstone(value: Uint8Array): Tombstone {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  return { epoch: view.getUint32(0, true), erasedAt: view.getFloat64(4, true) };
}
