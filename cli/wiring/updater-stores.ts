import { join } from "node:path";
import { SodiumCipher } from "../../native/cipher.js";
import type { ItemVectorsOf } from "../../schemas/catalogue.js";
import type { Config } from "../../schemas/config.js";
import type { Partition } from "../../schemas/ids.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import { PartitionState } from "../../state/partition-state.js";
import { openRocksStore } from "../../state/rocks-store.js";
import { Journal } from "../../streams/journal/journal.js";
import { JournalCatalogues } from "../../streams/journal/journal-catalogues.js";
import { JOURNAL_PARTITION } from "../../streams/journal/journal-reader.js";

/** What a data directory holds open: by this process alone. */
export interface UpdaterStores {
  readonly journal: Journal;
  readonly catalogues: JournalCatalogues;
  readonly state: PartitionState;
  readonly stateStore: KeyValueStore;
}

/** Where a state that was folded to try something out lies: a data directory of its own. */
export const shadowDirectory = ({ dataDir }: Config): string => join(dataDir, "shadow");

/** Opens journal and state; what was opened is closed again when a later part fails. @throws KindredError DIRECTORY_IN_USE, DIRECTORY_NEWER, JOURNAL_CORRUPT, STATE_CORRUPT, STORAGE_FAILED */
export async function openStores(config: Config, itemVectors: ItemVectorsOf): Promise<UpdaterStores> {
  const journal = await openJournal(config);
  const catalogues = new JournalCatalogues(journal.store);
  let stateStore: KeyValueStore | undefined;
  try {
    stateStore = await openRocksStore(join(config.dataDir, "state", String(JOURNAL_PARTITION)), { cacheBytes: 64 << 20 });
    const partition: Partition = JOURNAL_PARTITION;
    const state = await PartitionState.open({
      store: stateStore,
      partition,
      catalogues,
      itemVectors,
      cacheRows: config.pipeline.cacheRows,
    });
    return { journal, catalogues, state, stateStore };
  } catch (error) {
    await stateStore?.close();
    await journal.close();
    throw error;
  }
}

/** The journal of a directory, which is then this process's alone. @throws KindredError DIRECTORY_IN_USE, DIRECTORY_NEWER, JOURNAL_CORRUPT */
export async function openJournal({ dataDir, journal, deadLetters }: Config): Promise<Journal> {
  const store = await openRocksStore(join(dataDir, "journal"), {
    corruptCode: "JOURNAL_CORRUPT",
    // Written once and read once, mostly from memory: larger buffers would only take longer to fill.
    cacheBytes: 8 << 20,
    writeBufferBytes: 8 << 20,
  });
  try {
    const { maxLagEvents, maxPendingBytes } = journal;
    return await Journal.open(store, new SodiumCipher(), { maxLagEvents, maxPendingBytes, maxDeadLetters: deadLetters.limit });
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Closes both, also where one of them cannot be closed cleanly. */
export async function closeStores({ journal, state, stateStore }: UpdaterStores): Promise<void> {
  try {
    await state.settled().finally(() => stateStore.close());
  } finally {
    await journal.close();
  }
}
