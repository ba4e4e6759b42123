import { promisify } from "node:util";
import { gzip, unzip } from "node:zlib";
import kafkajs, { type CompressionTypes as CompressionType } from "kafkajs";
import { compressFrame, decompressFrame } from "lz4-napi";
import { compress, uncompress } from "snappy";
import { ZSTDDecoder } from "zstddec/stream";
import { KindredError } from "../../schemas/errors.js";
import type { Decompress } from "./record-batch.js";

// Node finds no names in this part of the package.
const { CompressionTypes } = kafkajs;

/** What kafkajs asks of a codec. */
interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
}

/** First bytes of what Java's producer calls snappy: blocks of raw snappy, each behind its length, in the framing of xerial's library. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
/** The magic and two versions. */
const XERIAL_HEAD = 16;

const raw = async (bytes: Uint8Array): Promise<Buffer> => (await uncompress(bytes, { asBuffer: true })) as Buffer;

/** Snappy as topics have it: in xerial's framing, or raw (librdkafka). @throws Error where it is damaged */
export async function unsnappy(bytes: Buffer): Promise<Buffer> {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return raw(bytes);
  const blocks: Buffer[] = [];
  for (let at = XERIAL_HEAD; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) throw new Error("a block is cut short");
    blocks.push(await raw(bytes.subarray(at + 4, end)));
    at = end;
  }
  return Buffer.concat(blocks);
}

const zstd = new ZSTDDecoder();

async function unzstd(bytes: Buffer): Promise<Buffer> {
  await zstd.init();
  const plain = zstd.decode(bytes);
  // The decoder tells no errors: what it could not read is empty, and a batch of records never is.
  if (plain.length === 0) throw new Error("not a frame of zstd");
  return Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength);
}

/** A batch has a megabyte or so as it is sent: one that claims to be so much more is made to fill memory. */
const MOST_PLAIN_BYTES = 256 << 20;

export const CODECS: Record<Exclude<CompressionType, CompressionType.None>, Codec> = {
  [CompressionTypes.GZIP]: {
    compress: ({ buffer }) => promisify(gzip)(buffer),
    decompress: (bytes) => promisify(unzip)(bytes, { maxOutputLength: MOST_PLAIN_BYTES }),
  },
  // Raw: the brokers, Java's and librdkafka's consumers read both.
  [CompressionTypes.Snappy]: { compress: ({ buffer }) => compress(buffer), decompress: unsnappy },
  [CompressionTypes.LZ4]: { compress: ({ buffer }) => compressFrame(buffer), decompress: (bytes) => decompressFrame(bytes) },
  [CompressionTypes.ZSTD]: {
    compress: async () => {
      throw new KindredError("INVALID_ARGUMENT", "zstd is read, not written");
    },
    decompress: unzstd,
  },
};

export const decompress: Decompress = async (type, bytes) => {
  const codec = CODECS[type as keyof typeof CODECS] as Codec | undefined;
  if (codec === undefined) throw new Error(`nobody knows a codec ${type}`);
  try {
    return await codec.decompress(bytes);
  } catch (cause) {
    throw new Error(`it is not what its codec (${CompressionTypes[type]}) makes: ${(cause as Error).message}`, { cause });
  }
};
