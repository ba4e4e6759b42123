import { NativeReadModel } from "../../index/read-model/native-read-model.js";
import { EmbeddedEngine } from "../../index/vector-engine/embedded-engine.js";
import type { ItemEngines, ReadModelReader, VectorEngine } from "../../schemas/ports/read-model.js";
import type { SearchIndex } from "./search-index.js";
import type { EngineHandle, UpdaterNews } from "./worker-ports.js";

type Handles = Omit<Extract<UpdaterNews, { kind: "opened" }>, "kind">;

/** What recall reads, attached to in the thread that answers. */
export interface OpenedIndex {
  readonly readModel: ReadModelReader;
  readonly engine: VectorEngine;
  readonly items: ItemEngines | undefined;
  /** Leaves the memory to the others who are attached. */
  readonly close: () => Promise<void>;
}

/** Another thread attaches by these, as long as the index is open. */
export function handlesOf({ model, engine, items }: SearchIndex): Handles {
  return {
    readModel: model.handle,
    engine: handleOf(engine),
    ...(items && { items: { outputs: handleOf(items.outputs), alike: handleOf(items.alike) } }),
  };
}

const handleOf = ({ handle, generation, dims, metric }: EmbeddedEngine): EngineHandle => ({ handle, generation, dims, metric });

/** @throws KindredError INVALID_ARGUMENT where the index is not open in this process */
export function attachIndex({ readModel: handle, engine: users, items: given }: Handles): OpenedIndex {
  const readModel = NativeReadModel.attach(handle);
  const engine = EmbeddedEngine.attach(users.handle);
  const outputs = given && EmbeddedEngine.attach(given.outputs.handle);
  const alike = given && (given.alike.handle === given.outputs.handle ? outputs : EmbeddedEngine.attach(given.alike.handle));
  return {
    readModel,
    engine,
    items: outputs && alike && { generation: outputs.generation, outputs, alike },
    close: async () => {
      for (const one of new Set([engine, outputs, alike])) await one?.close();
      readModel.close();
    },
  };
}
