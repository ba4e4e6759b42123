import { join } from "node:path";
import type { Config } from "../../../schemas/config.js";
import type { Partition } from "../../../schemas/ids.js";
import type { KeyValueStore } from "../../../schemas/ports/key-value-store.js";
import { openRocksStore } from "../../../state/rocks-store.js";

/** Many partitions share the memory that the journal's one has. */
const ROCKS = { cacheBytes: 16 << 20, writeBufferBytes: 16 << 20 } as const;

/** What stores of Kafka's partitions leave out: whoever searches fingerprints makes their bands of the rows. */
export const STORED = { bands: false } as const;

/** Which copy of a partition's rows: the one that is folded into (or will be, of a standby), or the one that recall is filled from. */
export type RowsCopy = "state" | "recall";

/** @throws KindredError DIRECTORY_IN_USE, DIRECTORY_NEWER, STATE_CORRUPT, STORAGE_FAILED */
export const openPartitionStore = ({ dataDir }: Pick<Config, "dataDir">, copy: RowsCopy, partition: Partition): Promise<KeyValueStore> =>
  openRocksStore(join(dataDir, copy, String(partition)), ROCKS);
