import { NativeReadModel } from "../../index/read-model/native-read-model.js";
import { EmbeddedEngine } from "../../index/vector-engine/embedded-engine.js";
import type { Config } from "../../schemas/config.js";
import type { Log } from "../../schemas/ports/log.js";
import type { ItemEngines, ReadModelReader, Space } from "../../schemas/ports/read-model.js";
import { attachItemVectors, handleOfItemVectors } from "./item-vectors.js";
import type { SearchIndex } from "./search-index.js";
import type { SearchSpace } from "./search-space.js";
import { attachEngine } from "./vector-engines.js";
import type { EngineHandle, IndexHandles, ItemHandles, SpaceHandles } from "./worker-ports.js";

interface AttachedSpace {
  readonly space: Space;
  moved(ordinals: Uint32Array): void;
  close(): Promise<void>;
}

/** Another thread attaches by these, as long as the index is open. */
export const handlesOf = ({ model, serving }: SearchIndex): IndexHandles => ({ readModel: model.handle, space: spaceHandlesOf(serving) });

/** As long as the space is open: who is attached keeps its memory. */
export const spaceHandlesOf = ({ ref, users, items, itemVectors }: SearchSpace): SpaceHandles => ({
  users: handleOf(users),
  ...(items && { items: { outputs: handleOf(items.outputs), alike: handleOf(items.alike) } }),
  itemVectors: handleOfItemVectors(ref, itemVectors),
});

const handleOf = ({ handle, generation, dims, metric }: EmbeddedEngine): EngineHandle => ({ handle, generation, dims, metric });

/** What recall reads, attached to in the thread that answers. */
export class OpenedIndex {
  private readonly attached = new Set<AttachedSpace>();
  /** Who moved while an engine is being attached: it is told once it is there. */
  private movedMeanwhile: Uint32Array[] | undefined;
  private turns: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly readModel: ReadModelReader & { close(): void },
    private serving: AttachedSpace,
    private readonly config: Config,
    private readonly log: Log,
  ) {
    this.attached.add(serving);
  }

  /** @throws KindredError INVALID_ARGUMENT where the index is not open in this process, ENGINE_MISSING; nothing stays attached then */
  static async attach(handles: IndexHandles, config: Config, log: Log): Promise<OpenedIndex> {
    const readModel = NativeReadModel.attach(handles.readModel);
    try {
      return new OpenedIndex(readModel, await attachSpace(handles.space, config, log), config, log);
    } catch (error) {
      readModel.close();
      throw error;
    }
  }

  /** What answers: users, items and item vectors of one generation. */
  get space(): Space {
    return this.serving.space;
  }

  /** Vectors of these were written: for engines of this thread's own. Before the write's position counts as applied. */
  moved(ordinals: Uint32Array): void {
    this.movedMeanwhile?.push(ordinals);
    for (const one of this.attached) one.moved(ordinals);
  }

  /**
   * Answers with another generation from now on, by one assignment; in the order of the calls.
   * @param left resolves when everybody who came before it is called has left: the memory of the one before is given back then
   */
  serve(handles: SpaceHandles, left: () => Promise<void>): Promise<void> {
    const served = this.turns.then(() => this.serveInTurn(handles, left));
    this.turns = served.catch(() => undefined);
    return served;
  }

  /** Leaves the memory to the others who are attached. */
  async close(): Promise<void> {
    await this.turns;
    for (const one of this.attached) await one.close();
    this.attached.clear();
    this.readModel.close();
  }

  private async serveInTurn(handles: SpaceHandles, left: () => Promise<void>): Promise<void> {
    this.movedMeanwhile = [];
    try {
      const next = await attachSpace(handles, this.config, this.log);
      for (const ordinals of this.movedMeanwhile) next.moved(ordinals);
      const before = this.serving;
      this.attached.add(next);
      this.serving = next;
      void left().then(() => this.release(before));
    } finally {
      this.movedMeanwhile = undefined;
    }
  }

  private async release(one: AttachedSpace): Promise<void> {
    if (!this.attached.delete(one)) return;
    await one.close().catch((err: unknown) => this.log.warn({ err }, "a generation's vectors could not be left cleanly"));
  }
}

/**
 * Users by the configured engine. Items by the embedded one also where that is faiss-node: its graphs live in the thread that answers,
 * and one or two more of them would be placed and verified there between requests. The updater builds none then, so items are scanned.
 */
async function attachSpace(handles: SpaceHandles, config: Config, log: Log): Promise<AttachedSpace> {
  const attached: { close(): void | Promise<void> }[] = [];
  const keep = <T extends { close(): void | Promise<void> }>(one: T): T => {
    attached.push(one);
    return one;
  };
  const close = async (): Promise<void> => {
    for (let one = attached.pop(); one; one = attached.pop()) await one.close();
  };
  try {
    const items = handles.items && attachItems(handles.items, keep);
    const { engine, moved } = await attachEngine(handles.users.handle, config, log);
    keep(engine);
    return { space: { users: engine, items, itemVectors: attachItemVectors(handles.itemVectors) }, moved, close };
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
