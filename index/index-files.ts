import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { NO_ORDINAL } from "../native/vector-index.js";
import type { GenerationRef } from "../schemas/catalogue.js";
import { KindredError } from "../schemas/errors.js";
import type { ItemId, Offset, UserId } from "../schemas/ids.js";
import type { ReadModelReader } from "../schemas/ports/read-model.js";
import type { Position } from "../schemas/position.js";
import type { ItemShards } from "./item-shards.js";
import { NativeReadModel } from "./read-model/native-read-model.js";
import type { ReadModelLimits } from "./read-model/read-model-limits.js";
import { hasShards, type OpenSettings, openShards, saveShards } from "./shards/shard-files.js";
import type { EmbeddedEngine } from "./vector-engine/embedded-engine.js";

/** Vectors of a generation's users as they were saved, and from where they have to be caught up. */
export interface SavedUsers {
  readonly engine: EmbeddedEngine;
  /** Everything up to here is in it; partitions that are not named are not in it. */
  readonly position: Position;
}

/** What a generation has to be saved. */
export interface SpaceParts {
  readonly ref: GenerationRef;
  readonly users: EmbeddedEngine;
  readonly items: ItemShards | undefined;
}

type Ids = Pick<ReadModelReader, "userOrdinal" | "itemOrdinal">;

/** The read model: whatever the vectors are made of, it is the same. */
const ROWS = "rows";

/**
 * The files of an index: the read model, and for each live generation a folder named after what its vectors are made of. Those of other
 * item vectors are another space and must never be opened for this one.
 */
export class IndexFiles {
  constructor(
    private readonly root: string,
    private readonly limits: Partial<ReadModelLimits> = {},
  ) {}

  /** @returns undefined where nothing was saved. @throws KindredError SHARD_CORRUPT, DIRECTORY_NEWER, STORAGE_FAILED */
  openModel(): Promise<NativeReadModel | undefined> {
    return NativeReadModel.open(join(this.root, ROWS), this.limits);
  }

  /** @returns undefined where nothing was saved. @throws KindredError SHARD_CORRUPT, DIRECTORY_NEWER, STORAGE_FAILED */
  async openUsers(ref: GenerationRef, settings: Omit<OpenSettings, "ordinalsOf">, ids: Ids): Promise<SavedUsers | undefined> {
    const directory = join(this.root, folderOf(ref));
    if (!hasShards(directory)) return undefined;
    const ordinalsOf = (names: readonly string[]): Uint32Array =>
      Uint32Array.from(names, (name) => ids.userOrdinal(name as UserId) ?? NO_ORDINAL);
    const { engine, manifest } = await openShards(directory, { ...settings, ordinalsOf });
    return { engine, position: manifest.positions };
  }

  /** Where the items of a trained model lie, beside its users. */
  itemsDirectory(ref: GenerationRef): string {
    return join(this.root, folderOf(ref), "items");
  }

  itemOrdinalsOf(ids: Ids): OpenSettings["ordinalsOf"] {
    return (names) => Uint32Array.from(names, (name) => ids.itemOrdinal(name as ItemId) ?? NO_ORDINAL);
  }

  /**
   * Saves all of them while they change; what is there of other generations goes.
   * @returns up to where everything is in the files. @throws KindredError STORAGE_FAILED: the last save stays good
   */
  async save(model: NativeReadModel, spaces: readonly SpaceParts[]): Promise<Position> {
    const positions = model.applied().position;
    try {
      // Before the read model: whoever is in it and not in the vectors is found by the positions, and not the other way round.
      for (const { ref, users, items } of spaces) {
        const directory = join(this.root, folderOf(ref));
        await mkdir(directory, { recursive: true });
        await saveShards(users, directory, { positions, idsOf: (ordinals) => model.userIds(ordinals) });
        await items?.save(this.itemsDirectory(ref), { positions, idsOf: (ordinals) => model.itemIds(ordinals) });
        // Where an earlier version had the rows: users who are erased since are in it.
        await rm(join(directory, "read-model.bin"), { force: true });
      }
      await mkdir(join(this.root, ROWS), { recursive: true });
      await model.save(join(this.root, ROWS));
      const kept = new Set([ROWS, ...spaces.map(({ ref }) => folderOf(ref))]);
      for (const other of await readdir(this.root))
        if (!kept.has(other)) await rm(join(this.root, other), { recursive: true, force: true });
    } catch (cause) {
      throw cause instanceof KindredError ? cause : new KindredError("STORAGE_FAILED", (cause as Error).message, this.root, { cause });
    }
    return positions;
  }
}

/** Where vectors and rows were saved one after the other, what is in one may be missing in the other. */
export function allHave(positions: readonly Position[]): Position {
  const partitions = new Set(positions.flatMap((position) => [...position.keys()]));
  const least = (partition: Parameters<Position["get"]>[0]): Offset =>
    Math.min(...positions.map((position) => position.get(partition) ?? 0)) as Offset;
  return new Map([...partitions].map((partition) => [partition, least(partition)]));
}

const folderOf = ({ generation, kind, dims, seed, folder }: GenerationRef): string =>
  `${generation}-${kind}-${dims}-${seed}${folder === undefined ? "" : `-${folder.split("-")[1]}`}`;
