import { createHash, randomBytes } from "node:crypto";
import { copyFile, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type GenerationRef, UNTRAINED_KIND } from "../../schemas/catalogue.js";
import { KindredError } from "../../schemas/errors.js";
import type { Generation } from "../../schemas/ids.js";
import type { ItemModel } from "../../schemas/model.js";
import { readPart } from "../model-folder/folder-files.js";
import { loadModel, loadNewItems } from "../model-folder/model-folder.js";
import { type ModelManifest, NODES_FOLDER, parseModelManifest } from "../model-folder/model-manifest.js";
import type { Provisional } from "../provisional/provisional.js";
import { ItemTables } from "./item-tables.js";

const MANIFEST = "manifest.json";
/** `3-0f1e2d3c4b5a6978`, and the same while it is being copied. Nothing else in the directory is touched. */
const OURS = /^\d+-[0-9a-f]{16}(\.[0-9a-f]{12})?$/;
/** It becomes the name of a folder, and of a generation's kind; the one that needs no model is not to be taken for one. */
const KIND = /^[a-z0-9][a-z0-9-]{0,63}$/;

/** Of the folder itself, or of that of other nodes' vectors. */
const FILE = new RegExp(`^(${NODES_FOLDER}/)?[A-Za-z0-9_][A-Za-z0-9._-]*$`);

/** A model folder that may be published. */
export interface OfferedModel {
  readonly source: string;
  readonly manifest: ModelManifest;
  /** Of the manifest, which has the checksums of all files: the same model has the same. */
  readonly hash: string;
}

/**
 * Published models: each a checked copy of a folder, called by its generation and a hash of what is in it. What is loaded of them stays in
 * memory, once a process.
 */
export class ModelStore {
  private readonly loaded = new Map<string, Promise<ItemTables>>();

  constructor(readonly directory: string) {}

  /** What a folder says of itself; what its files say is checked when it is taken. @throws KindredError MODEL_INVALID */
  async examine(source: string): Promise<OfferedModel> {
    const bytes = await readPart(source, MANIFEST);
    const where = join(source, MANIFEST);
    const manifest = parseModelManifest(bytes.toString("utf8"), where);
    const { kind, dims, items, files } = manifest;
    const invalid = (why: string): KindredError => new KindredError("MODEL_INVALID", why, where);
    if (!KIND.test(kind) || kind === UNTRAINED_KIND)
      throw invalid(`a model of kind ${JSON.stringify(kind).slice(0, 80)} can't be published`);
    if (dims < 8) throw invalid(`a generation has 8 to 1024 dimensions, not ${dims}`);
    if (items === 0) throw invalid("it has no items");
    const strange = files.find(({ name }) => !FILE.test(name));
    if (strange) throw invalid(`${JSON.stringify(strange.name)} is no name of a file in the folder`);
    return { source, manifest, hash: createHash("sha256").update(bytes).digest("hex").slice(0, 16) };
  }

  /** The generation's own copy, checked and loaded. @throws KindredError MODEL_INVALID, STORAGE_FAILED */
  async take({ source, manifest, hash }: OfferedModel, generation: Generation): Promise<GenerationRef> {
    const folder = `${generation}-${hash}`;
    const aside = join(this.directory, `${folder}.${randomBytes(6).toString("hex")}`);
    try {
      const tables = await this.copy(source, manifest, aside).then(() => tablesOf(aside, hash));
      // A publishing that was ended before it took effect may have left one.
      await rm(join(this.directory, folder), { recursive: true, force: true });
      await rename(aside, join(this.directory, folder));
      await synced(this.directory);
      this.loaded.set(folder, Promise.resolve(tables));
    } catch (cause) {
      await rm(aside, { recursive: true, force: true }).catch(() => undefined);
      if (cause instanceof KindredError) throw cause;
      throw new KindredError("STORAGE_FAILED", `the model can't be copied: ${(cause as Error).message}`, this.directory, { cause });
    }
    return { generation, dims: manifest.dims, kind: manifest.kind, seed: manifest.seed, folder };
  }

  /** The tables of a generation. @throws KindredError MODEL_INVALID: its folder is not there, or damaged */
  tables({ generation, folder = "" }: GenerationRef): Promise<ItemTables> {
    const known = this.loaded.get(folder);
    if (known) return known;
    if (!OURS.test(folder))
      return Promise.reject(new KindredError("MODEL_INVALID", `generation ${generation} has no model folder`, folder));
    const loading = tablesOf(join(this.directory, folder), folder.split("-")[1] as string).catch((cause: unknown) => {
      if (!(cause instanceof KindredError) || cause.code !== "MODEL_INVALID") throw cause;
      const message = `the model of generation ${generation} can't be used: ${cause.message}; restore this folder from a backup`;
      throw new KindredError("MODEL_INVALID", message, join(this.directory, folder), { cause });
    });
    this.loaded.set(folder, loading);
    // It may be mended, or come yet.
    loading.catch(() => this.loaded.delete(folder));
    return loading;
  }

  /** What vectors of new items are made of; undefined where the model says nothing of it. @throws KindredError MODEL_INVALID */
  async newItems({ folder = "" }: GenerationRef): Promise<Provisional | undefined> {
    return OURS.test(folder) ? loadNewItems(join(this.directory, folder)) : undefined;
  }

  /** Its memory goes when nobody has its tables any more. */
  forget(folder: string): void {
    this.loaded.delete(folder);
  }

  /** Deletes the copies that are not among these, also what a crash left of one. */
  async keepOnly(folders: ReadonlySet<string>): Promise<void> {
    const names = await readdir(this.directory).catch(() => []);
    for (const name of names)
      if (OURS.test(name) && !folders.has(name)) await rm(join(this.directory, name), { recursive: true, force: true });
  }

  private async copy(source: string, { files }: ModelManifest, to: string): Promise<void> {
    // Other nodes are nothing that is served, and users are among them: what is erased must not stay here.
    const names = [MANIFEST, ...files.map((file) => file.name).filter((name) => !name.startsWith(`${NODES_FOLDER}/`))];
    const folders = new Set(names.map((name) => dirname(join(to, name))));
    for (const folder of folders) await mkdir(folder, { recursive: true });
    for (const name of names) {
      await copyFile(join(source, name), join(to, name)).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code !== "ENOENT") throw cause;
        throw new KindredError("MODEL_INVALID", "the file is not there", join(source, name), { cause });
      });
      await synced(join(to, name));
    }
    for (const folder of folders) await synced(folder);
  }
}

/** @param hash what the manifest is to have */
async function tablesOf(directory: string, hash: string): Promise<ItemTables> {
  const found = createHash("sha256")
    .update(await readPart(directory, MANIFEST))
    .digest("hex");
  if (!found.startsWith(hash)) throw new KindredError("MODEL_INVALID", "the folder holds another model than its name says", directory);
  const { model } = await loadModel(directory);
  await nextTurn();
  const { items, input, output, score } = model;
  try {
    return new ItemTables({
      items,
      dims: input.dims,
      inputs: input.values,
      outputs: score === "cosine" ? ofLengthOne(output) : output.values,
    });
  } catch (error) {
    throw new KindredError("MODEL_INVALID", (error as Error).message, directory, { cause: error });
  }
}

/** Scored by inner product with them, a user's items come in the order of their cosines. */
function ofLengthOne({ dims, values }: ItemModel["output"]): Float32Array {
  const unit = Float32Array.from(values);
  for (let from = 0; from < unit.length; from += dims) {
    const row = unit.subarray(from, from + dims);
    const length = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
    if (length > 0) for (let d = 0; d < dims; d++) row[d] = (row[d] as number) / length;
  }
  return unit;
}

/** A file, or the names in a folder. */
async function synced(path: string): Promise<void> {
  const opened = await open(path, "r");
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}
