import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type RegisteredSchema, SCHEMA_TYPES } from "./registered-schema.js";

interface Kept {
  /** Ids are a registry's own: those of another mean other schemas. */
  readonly registry: string;
  readonly id: number;
  readonly schema: RegisteredSchema;
}

const checksumOf = (kept: Kept): string => createHash("sha256").update(JSON.stringify(kept)).digest("hex");

function isKept(value: unknown): value is Kept & { readonly sha256: string } {
  if (typeof value !== "object" || value === null) return false;
  const { registry, id, schema } = value as Partial<Kept>;
  return (
    typeof registry === "string" &&
    typeof id === "number" &&
    typeof schema?.schema === "string" &&
    SCHEMA_TYPES.includes(schema.type) &&
    Array.isArray(schema.references)
  );
}

/** Schemas once fetched, one small file an id: what was decoded once can be decoded without a registry. */
export class SchemaFiles {
  constructor(
    private readonly directory: string,
    private readonly registry: string,
  ) {}

  /** undefined where the id is not kept, or its file is damaged or of another registry: then it is fetched again. */
  async read(id: number): Promise<RegisteredSchema | undefined> {
    try {
      const parsed: unknown = JSON.parse(await readFile(this.#path(id), "utf8"));
      if (!isKept(parsed)) return undefined;
      const { sha256, registry, schema } = parsed;
      const sound = sha256 === checksumOf({ registry, id: parsed.id, schema });
      return sound && registry === this.registry && parsed.id === id ? schema : undefined;
    } catch {
      return undefined;
    }
  }

  /** Written aside, synced and renamed: a reader never sees half of it. */
  async write(id: number, schema: RegisteredSchema): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    const kept: Kept = { registry: this.registry, id, schema };
    const aside = join(this.directory, `${id}.${randomUUID()}.tmp`);
    try {
      const file = await open(aside, "w");
      try {
        await file.writeFile(`${JSON.stringify({ ...kept, sha256: checksumOf(kept) })}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(aside, this.#path(id));
    } catch (error) {
      await rm(aside, { force: true });
      throw error;
    }
  }

  #path(id: number): string {
    return join(this.directory, `${id}.json`);
  }
}
