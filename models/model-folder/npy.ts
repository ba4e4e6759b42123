import { KindredError } from "../../schemas/errors.js";
import type { ItemMatrix } from "../../schemas/model.js";

/** `\x93NUMPY`, version 1.0. */
const MAGIC = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
/** Data begin on such a boundary. */
const ALIGNMENT = 64;

/** A matrix of float32 as numpy's .npy has it: little-endian, rows one after the other. */
export function formatNpy({ dims, values }: ItemMatrix): Buffer {
  const shape = `{'descr': '<f4', 'fortran_order': False, 'shape': (${values.length / dims}, ${dims}), }`;
  const length = Math.ceil((MAGIC.length + 2 + shape.length + 1) / ALIGNMENT) * ALIGNMENT;
  const bytes = Buffer.alloc(length + values.byteLength, " ");
  MAGIC.copy(bytes);
  bytes.writeUInt16LE(length - MAGIC.length - 2, MAGIC.length);
  bytes.write(shape, MAGIC.length + 2, "latin1");
  bytes[length - 1] = 0x0a;
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).copy(bytes, length);
  return bytes;
}

/**
 * Reads what formatNpy writes, and what numpy's `save` makes of a C-ordered float32 matrix.
 * @throws KindredError MODEL_INVALID; `where` names the file
 */
export function parseNpy(bytes: Buffer, where: string): ItemMatrix {
  const invalid = (what: string): KindredError => new KindredError("MODEL_INVALID", what, where);
  if (bytes.length < MAGIC.length + 2 || !bytes.subarray(0, MAGIC.length).equals(MAGIC))
    throw invalid("this is no .npy file of version 1.0");
  const start = MAGIC.length + 2 + bytes.readUInt16LE(MAGIC.length);
  const header = bytes.toString("latin1", MAGIC.length + 2, start);
  const shape = /'shape': *\((\d+), *(\d+),?\)/.exec(header);
  if (!/'descr': *'<f4'/.test(header) || !/'fortran_order': *False/.test(header) || shape === null)
    throw invalid("this is no matrix of float32 in C order");
  const [rows, dims] = [Number(shape[1]), Number(shape[2])];
  if (bytes.length !== start + rows * dims * 4) throw invalid(`${bytes.length - start} bytes of numbers for ${rows} x ${dims}`);
  const values = new Float32Array(rows * dims);
  bytes.copy(new Uint8Array(values.buffer), 0, start);
  return { dims, values };
}
