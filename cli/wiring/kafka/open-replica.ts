import type { ItemVectorsOf } from "../../../schemas/catalogue.js";
import type { Config } from "../../../schemas/config.js";
import type { Partition } from "../../../schemas/ids.js";
import type { CatalogueStore } from "../../../schemas/ports/event-log.js";
import type { KeyValueStore } from "../../../schemas/ports/key-value-store.js";
import type { Log } from "../../../schemas/ports/log.js";
import { PartitionReplica } from "../../../state/partition-replica.js";
import { ReplicaReader, type ReplicaReaderParts } from "../../../streams/kafka/replica-reader.js";
import { restoreBytes } from "./memory-shares.js";
import { STORED } from "./partition-stores.js";

export interface ReplicaParts {
  readonly config: Config;
  readonly log: Log;
  /** Of the topic: what a process may keep in memory is shared by them. */
  readonly partitions: number;
  /** Reads changelogs. */
  readonly follower: ReplicaReaderParts["follower"];
  readonly catalogues: CatalogueStore;
  readonly itemVectors: ItemVectorsOf;
}

/** A partition's rows as its changelog has them. */
export interface OpenReplica {
  readonly replica: PartitionReplica;
  readonly reader: ReplicaReader;
}

/** The rows of a store, and what reads the partition's changelog into them. @throws KindredError as `PartitionReplica.open` */
export async function openReplica(
  { config, log, partitions, follower, catalogues, itemVectors }: ReplicaParts,
  store: KeyValueStore,
  partition: Partition,
  applied?: ReplicaReaderParts["applied"],
): Promise<OpenReplica> {
  const openBytes = restoreBytes(partitions);
  const replica = await PartitionReplica.open({ store, partition, catalogues, itemVectors, openBytes, ...STORED });
  const { topics } = config.kafka;
  const reader = new ReplicaReader({ follower, topic: topics.changelog, replica, log, ...(applied && { applied }) });
  return { replica, reader };
}

/** Before the store is closed, or folded into: a write that fails then would end all reading. */
export async function endReplica({ replica, reader }: OpenReplica): Promise<void> {
  await reader.stop();
  await replica.settled();
}
