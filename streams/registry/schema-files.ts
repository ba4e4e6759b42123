import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { RegisteredSchema } from "./registered-schema.js";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/**
 * What the registry once said, one small file an answer, so that a start without a registry decodes what was decoded before, and
 * writes what was written. Each file has a checksum, the question and the registry: ids are a registry's own, those of another mean other schemas.
 */
export class SchemaFiles {
  constructor(
    private readonly directory: string,
    private readonly registry: string,
  ) {}

  /** undefined where the id is not kept, or its file is damaged or of another registry: then it is fetched again. */
  async read(id: number): Promise<RegisteredSchema | undefined> {
    return (await this.#read(`${id}.json`, { id })) as RegisteredSchema | undefined;
  }

  async write(id: number, schema: RegisteredSchema): Promise<void> {
    await this.#write(`${id}.json`, { id }, schema);
  }

  /** The id under which `subject` has this very text; undefined where that is not kept. */
  async readRegistration(subject: string, schema: string): Promise<number | undefined> {
    return (await this.#read(registrationName(subject), { subject, schema })) as number | undefined;
  }

  async writeRegistration(subject: string, schema: string, id: number): Promise<void> {
    await this.#write(registrationName(subject), { subject, schema }, id);
  }

  async #read(name: string, question: object): Promise<unknown> {
    try {
      const { checksum, answer } = JSON.parse(await readFile(join(this.directory, name), "utf8")) as { checksum: unknown; answer: unknown };
      return checksum === this.#checksum(question, answer) ? answer : undefined;
    } catch {
      return undefined;
    }
  }

  /** Written aside, synced and renamed: a reader never sees half of it. */
  async #write(name: string, question: object, answer: unknown): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    const aside = join(this.directory, `${name}.${randomUUID()}.tmp`);
    try {
      const file = await open(aside, "w");
      try {
        await file.writeFile(
          `${JSON.stringify({ checksum: this.#checksum(question, answer), registry: this.registry, question, answer })}\n`,
        );
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(aside, join(this.directory, name));
    } catch (error) {
      await rm(aside, { force: true });
      throw error;
    }
  }

  #checksum(question: object, answer: unknown): string {
    return sha256(JSON.stringify([this.registry, question, answer]));
  }
}

// A subject may be longer than a file's name.
const registrationName = (subject: string): string => `subject-${sha256(subject).slice(0, 32)}.json`;
