import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { NO_ORDINAL } from "../native/vector-index.js";
import type { GenerationRef } from "../schemas/catalogue.js";
import { KindredError } from "../schemas/errors.js";
import type { Offset, UserId } from "../schemas/ids.js";
import type { Position } from "../schemas/position.js";
import type { ItemShards } from "./item-shards.js";
import { NativeReadModel } from "./read-model/native-read-model.js";
import type { ReadModelLimits } from "./read-model/read-model-limits.js";
import { hasShards, type OpenSettings, openShards, saveShards } from "./shards/shard-files.js";
import type { EmbeddedEngine } from "./vector-engine/embedded-engine.js";

/** An index as it was saved, and from where it has to be caught up. */
export interface SavedIndex {
  readonly model: NativeReadModel;
  readonly engine: EmbeddedEngine;
  /** Everything up to here is in it; partitions that are not named are not in it. */
  readonly position: Position;
}

/**
 * The files of an index, in a folder named after what its vectors are made of: those of other item vectors are another space
 * and must never be opened for this one.
 */
export class IndexFiles {
  private readonly directory: string;

  constructor(
    private readonly root: string,
    { generation, kind, dims, seed }: GenerationRef,
    private readonly limits: Partial<ReadModelLimits> = {},
  ) {
    this.directory = join(root, `${generation}-${kind}-${dims}-${seed}`);
  }

  /** Where the items of a trained model lie, beside its users. */
  get itemsDirectory(): string {
    return join(this.directory, "items");
  }

  /** @returns undefined where nothing was saved. @throws KindredError SHARD_CORRUPT, DIRECTORY_NEWER, STORAGE_FAILED */
  async open(settings: Omit<OpenSettings, "ordinalsOf">): Promise<SavedIndex | undefined> {
    if (!hasShards(this.directory)) return undefined;
    const model = await NativeReadModel.open(this.directory, this.limits);
    if (!model) return undefined;
    try {
      const ordinalsOf = (ids: readonly string[]): Uint32Array =>
        Uint32Array.from(ids, (id) => model.userOrdinal(id as UserId) ?? NO_ORDINAL);
      const { engine, manifest } = await openShards(this.directory, { ...settings, ordinalsOf });
      return { model, engine, position: bothHave(manifest.positions, model.applied().position) };
    } catch (error) {
      model.close();
      throw error;
    }
  }

  /** Saves all of them while they change. @returns up to where everything is in the files. @throws KindredError STORAGE_FAILED: the last save stays good */
  async save(model: NativeReadModel, engine: EmbeddedEngine, items?: ItemShards): Promise<Position> {
    const positions = model.applied().position;
    try {
      await mkdir(this.directory, { recursive: true });
      await saveShards(engine, this.directory, { positions, idsOf: (ordinals) => model.userIds(ordinals) });
      await items?.save(this.itemsDirectory, { positions, idsOf: (ordinals) => model.itemIds(ordinals) });
      await model.save(this.directory);
      for (const other of await readdir(this.root))
        if (join(this.root, other) !== this.directory) await rm(join(this.root, other), { recursive: true, force: true });
    } catch (cause) {
      throw cause instanceof KindredError ? cause : new KindredError("STORAGE_FAILED", (cause as Error).message, this.directory, { cause });
    }
    return positions;
  }
}

/** Vectors are saved before the read model: what is in one may be missing in the other. */
function bothHave(vectors: Position, rows: Position): Position {
  const partitions = new Set([...vectors.keys(), ...rows.keys()]);
  return new Map(
    [...partitions].map((partition) => [partition, Math.min(vectors.get(partition) ?? 0, rows.get(partition) ?? 0) as Offset]),
  );
}
