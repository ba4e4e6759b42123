import { KindredError } from "../schemas/errors.js";
import type { CatalogueNumber, Offset, Partition } from "../schemas/ids.js";
import type { StateSummary } from "../schemas/ports/admin.js";
import type { RowsAre } from "../schemas/ports/folded-batch.js";

const META_VERSION = 1;

/** What a partition's store says of itself; written in the same batch as the rows it speaks of. JSON. */
export interface PartitionMeta {
  /** Applied up to here. */
  readonly offset: number;
  /** Newest event time folded. */
  readonly eventTime: number;
  /** Activations that rows may still be of, oldest first; the last one is active. */
  readonly activations: readonly { readonly activation: number; readonly catalogue: CatalogueNumber }[];
  /** The user after whom migration goes on; null = every row is of the active catalogue. */
  readonly migratedTo: string | null;
  /** Sum of the rows' hashes, 32 hex digits. */
  readonly hash: string;
  readonly rows: number;
  readonly tombstones: number;
  readonly items: number;
  /** Number of the commit that wrote this. */
  readonly commit: number;
}

export const EMPTY_META: PartitionMeta = {
  offset: 0,
  eventTime: 0,
  activations: [],
  migratedTo: null,
  hash: "0".repeat(32),
  rows: 0,
  tombstones: 0,
  items: 0,
  commit: 0,
};

export const encodeMeta = (meta: PartitionMeta): Uint8Array => Buffer.from(JSON.stringify({ version: META_VERSION, ...meta }));

/** @throws KindredError STATE_CORRUPT, DIRECTORY_NEWER */
export function decodeMeta(value: Uint8Array, where?: string): PartitionMeta {
  let meta: (PartitionMeta & { version: number }) | undefined;
  try {
    meta = JSON.parse(Buffer.from(value).toString("utf8")) as PartitionMeta & { version: number };
  } catch (error) {
    throw new KindredError("STATE_CORRUPT", "the partition's meta is not readable", where, { cause: error });
  }
  if (meta.version > META_VERSION)
    throw new KindredError(
      "DIRECTORY_NEWER",
      `the state has version ${meta.version}, this version of kindred reads up to ${META_VERSION}`,
      where,
    );
  if (!Number.isSafeInteger(meta.offset) || !/^[0-9a-f]{32}$/.test(meta.hash) || !Array.isArray(meta.activations))
    throw new KindredError("STATE_CORRUPT", "the partition's meta is damaged", where);
  return meta;
}

/** What an operator asks of it. */
export function summaryOf(partition: Partition, meta: PartitionMeta): StateSummary {
  const { hash, rows, offset } = meta;
  return { hash, rows, position: new Map([[partition, offset as Offset]]), ...rowsAre(meta) };
}

export const rowsAre = ({ activations, migratedTo }: PartitionMeta): RowsAre => ({
  catalogue: activations.at(-1)?.catalogue ?? 0,
  migrating: migratedTo !== null,
});
