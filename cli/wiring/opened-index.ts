import { NativeReadModel } from "../../index/read-model/native-read-model.js";
import { EmbeddedEngine } from "../../index/vector-engine/embedded-engine.js";
import type { Config } from "../../schemas/config.js";
import type { Log } from "../../schemas/ports/log.js";
import type { ItemEngines, ReadModelReader } from "../../schemas/ports/read-model.js";
import type { SearchIndex } from "./search-index.js";
import { type AttachedEngine, attachEngine } from "./vector-engines.js";
import type { EngineHandle, IndexHandles, ItemHandles } from "./worker-ports.js";

/** What recall reads, attached to in the thread that answers. */
export interface OpenedIndex extends AttachedEngine {
  readonly readModel: ReadModelReader;
  readonly items: ItemEngines | undefined;
  /** Leaves the memory to the others who are attached. */
  readonly close: () => Promise<void>;
}

/** Another thread attaches by these, as long as the index is open. */
export function handlesOf({ model, engine, items }: SearchIndex): IndexHandles {
  return {
    readModel: model.handle,
    engine: handleOf(engine),
    ...(items && { items: { outputs: handleOf(items.outputs), alike: handleOf(items.alike) } }),
  };
}

const handleOf = ({ handle, generation, dims, metric }: EmbeddedEngine): EngineHandle => ({ handle, generation, dims, metric });

/**
 * Users by the configured engine. Items by the embedded one also where that is faiss-node: its graphs live in the thread that answers,
 * and one or two more of them would be placed and verified there between requests. The updater builds none then, so items are scanned.
 * @throws KindredError INVALID_ARGUMENT where the index is not open in this process, ENGINE_MISSING; nothing stays attached then
 */
export async function attachIndex(handles: IndexHandles, config: Config, log: Log): Promise<OpenedIndex> {
  const attached: { close(): void | Promise<void> }[] = [];
  const keep = <T extends { close(): void | Promise<void> }>(one: T): T => {
    attached.push(one);
    return one;
  };
  const close = async (): Promise<void> => {
    for (let one = attached.pop(); one; one = attached.pop()) await one.close();
  };
  try {
    const readModel = keep(NativeReadModel.attach(handles.readModel));
    const items = handles.items && attachItems(handles.items, keep);
    const { engine, moved } = await attachEngine(handles.engine.handle, config, log);
    keep(engine);
    return { readModel, engine, items, moved, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function attachItems({ outputs: given, alike: other }: ItemHandles, keep: (engine: EmbeddedEngine) => EmbeddedEngine): ItemEngines {
  const outputs = keep(EmbeddedEngine.attach(given.handle));
  const alike = other.handle === given.handle ? outputs : keep(EmbeddedEngine.attach(other.handle));
  return { generation: outputs.generation, outputs, alike };
}
