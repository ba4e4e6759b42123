import { setTimeout as sleep } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import { KindredError } from "../../schemas/errors.js";
import type { Backoff } from "../operators/retry-with-backoff.js";
import { type CompiledSchema, compileSchema } from "./compiled-schema.js";
import type { RegisteredSchema } from "./registered-schema.js";
import { isSchemaId } from "./wire-format.js";

/** Where schemas come from: the registry. */
export interface SchemaSource {
  /** Without secrets. */
  readonly shown: string;
  /** undefined: it has no such schema. @throws KindredError UNKNOWN_SCHEMA (nor will it ever be of use); anything else is waited for */
  schemaOf(id: number): Promise<RegisteredSchema | undefined>;
}

/** Where they are kept. */
export interface KeptSchemas {
  read(id: number): Promise<RegisteredSchema | undefined>;
  write(id: number, schema: RegisteredSchema): Promise<void>;
}

export interface CodecLog {
  warn(fields: object, message: string): void;
}

export interface SchemaCacheOptions {
  readonly source: SchemaSource;
  readonly kept?: KeptSchemas;
  readonly log: CodecLog;
  readonly backoff?: Pick<Backoff, "initialMs" | "maxMs">;
  /** How long the registry's word is taken that it has no such id. */
  readonly refusedMs?: number;
}

/** Schemas in memory: more than any topic has seen. */
const MOST_KNOWN = 1_000;
/** Ids in memory that are none: those of the largest batch of eight partitions, should each record make one up. */
const MOST_REFUSED = 131_072;
const BACKOFF = { initialMs: 200, maxMs: 10_000 };
const REFUSED_MS = 30_000;

const closedBefore = (id: number): KindredError => new KindredError("NOT_READY", `closed before schema ${id} was at hand`);

class Wanted {
  waiters = 0;
  settle: (error?: KindredError) => void = () => undefined;
  readonly settled = new Promise<void>((resolve, reject) => {
    this.settle = (error) => (error === undefined ? resolve() : reject(error));
  });

  constructor(readonly id: number) {}
}

/**
 * Schemas by their id. One id is asked for at a time, whoever waits for it, and after a failure the next one first: an id that the
 * registry chokes on does not hold up the others. It goes on for as long as somebody waits.
 */
export class SchemaCache {
  readonly #known = new LRUCache<number, CompiledSchema>({ max: MOST_KNOWN });
  readonly #refused = new Map<number, { readonly until: number; readonly message: string }>();
  readonly #wanted = new Map<number, Wanted>();
  readonly #closing = new AbortController();
  #working = false;
  #fetches = 0;
  #failures = 0;
  // Nearly every value is of the same schema as the one before.
  #newestId = -1;
  #newest: CompiledSchema | undefined;

  constructor(private readonly options: SchemaCacheOptions) {}

  stats(): { readonly waiting: number; readonly fetches: number; readonly failures: number } {
    return { waiting: this.#wanted.size, fetches: this.#fetches, failures: this.#failures };
  }

  /** Whether get() has an answer, be it that there is no such schema; one that has become old is to be asked for again. */
  isSettled(id: number): boolean {
    if (id === this.#newestId || this.#known.has(id) || !isSchemaId(id)) return true;
    const refused = this.#refused.get(id);
    return refused !== undefined && refused.until > Date.now();
  }

  /** @throws KindredError UNKNOWN_SCHEMA; REGISTRY_FAILED where nobody has waited for it: that says nothing of the record */
  get(id: number): CompiledSchema {
    if (id === this.#newestId && this.#newest !== undefined) return this.#newest;
    const known = this.#known.get(id);
    if (known !== undefined) {
      this.#newestId = id;
      this.#newest = known;
      return known;
    }
    if (!isSchemaId(id)) throw new KindredError("UNKNOWN_SCHEMA", `${id} is no id that a registry gives`);
    const refused = this.#refused.get(id);
    if (refused !== undefined) throw new KindredError("UNKNOWN_SCHEMA", refused.message);
    throw new KindredError("REGISTRY_FAILED", `schema ${id} has not been fetched yet`);
  }

  /**
   * Waits until each id is settled, for as long as it takes.
   * @throws what `signal` was aborted with; KindredError NOT_READY when the cache is closed
   */
  async obtain(ids: Iterable<number>, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const waitingFor: Wanted[] = [];
    try {
      for (const id of ids) {
        if (this.isSettled(id) || (await this.#fromKept(id))) continue;
        const wanted = this.#want(id);
        wanted.waiters++;
        waitingFor.push(wanted);
      }
      await unlessAborted(Promise.all(waitingFor.map(({ settled }) => settled)), signal);
    } finally {
      for (const wanted of waitingFor) this.#leave(wanted);
    }
  }

  /** Takes a schema that is known by other means: what we registered ourselves. */
  async learn(id: number, schema: RegisteredSchema): Promise<void> {
    this.#known.set(id, await compileSchema(schema));
    this.#refused.delete(id);
    try {
      await this.options.kept?.write(id, schema);
    } catch (err) {
      this.options.log.warn({ err, id }, "a schema cannot be kept; the next start asks the registry for it");
    }
  }

  close(): void {
    this.#closing.abort();
    for (const [id, wanted] of this.#wanted) wanted.settle(closedBefore(id));
    this.#wanted.clear();
  }

  async #fromKept(id: number): Promise<boolean> {
    const schema = await this.options.kept?.read(id);
    if (schema === undefined) return false;
    this.#known.set(id, await compileSchema(schema));
    return true;
  }

  #want(id: number): Wanted {
    const known = this.#wanted.get(id);
    if (known !== undefined) return known;
    if (this.#closing.signal.aborted) throw closedBefore(id);
    const wanted = new Wanted(id);
    // Whoever waited may have left by the time it is settled.
    wanted.settled.catch(() => undefined);
    this.#wanted.set(id, wanted);
    if (!this.#working) void this.#work();
    return wanted;
  }

  /** Nobody asks for an id that nobody waits for any more. */
  #leave(wanted: Wanted): void {
    if (--wanted.waiters === 0 && this.#wanted.get(wanted.id) === wanted) this.#wanted.delete(wanted.id);
  }

  #settle(id: number): void {
    this.#wanted.get(id)?.settle();
    this.#wanted.delete(id);
  }

  async #work(): Promise<void> {
    this.#working = true;
    const { initialMs, maxMs } = this.options.backoff ?? BACKOFF;
    const { signal } = this.#closing;
    let waitMs = initialMs;
    for (let next = this.#next(); next !== undefined && !signal.aborted; next = this.#next()) {
      if (await this.#fetch(next)) {
        waitMs = initialMs;
        continue;
      }
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
      waitMs = Math.min(maxMs, waitMs * 2);
    }
    this.#working = false;
  }

  #next(): number | undefined {
    return this.#wanted.keys().next().value;
  }

  /** @returns whether the id is settled now */
  async #fetch(id: number): Promise<boolean> {
    this.#fetches++;
    try {
      const schema = await this.options.source.schemaOf(id);
      if (schema === undefined) this.#refuse(id, `${this.options.source.shown} has no schema ${id}`);
      else await this.learn(id, schema);
    } catch (err) {
      if (err instanceof KindredError && err.code === "UNKNOWN_SCHEMA") this.#refuse(id, `schema ${id}: ${err.message}`);
      else {
        this.#failed(id, err);
        return false;
      }
    }
    this.#settle(id);
    return true;
  }

  #failed(id: number, err: unknown): void {
    this.#failures++;
    const wanted = this.#wanted.get(id);
    if (wanted === undefined) return;
    this.#wanted.delete(id);
    this.#wanted.set(id, wanted);
    this.options.log.warn({ err, id, waiting: this.#wanted.size }, "the schema registry does not give a schema; its records wait");
  }

  #refuse(id: number, message: string): void {
    this.#refused.delete(id);
    this.#refused.set(id, { until: Date.now() + (this.options.refusedMs ?? REFUSED_MS), message });
    const [oldest] = this.#refused.keys();
    if (this.#refused.size > MOST_REFUSED && oldest !== undefined) this.#refused.delete(oldest);
  }
}

async function unlessAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
