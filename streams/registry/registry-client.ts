import { readFileSync } from "node:fs";
import { Agent } from "node:https";
import type { SchemaInfo, SchemaRegistryClient } from "@confluentinc/schemaregistry";
import { KindredError } from "../../schemas/errors.js";
import { type RegisteredSchema, SCHEMA_TYPES, type SchemaType } from "./registered-schema.js";

/** Where the registry is, and who we are to it. */
export interface RegistryAddress {
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  /** PEM file of the authority that signed the registry's certificate. */
  readonly caFile?: string;
}

export interface Registered {
  readonly id: number;
  readonly version: number;
}

/** One version of a subject. */
export interface SubjectVersion extends Registered {
  readonly subject: string;
  readonly type: string;
}

const REQUEST_TIMEOUT_MS = 10_000;
/** The registry's own code for an id it does not have. Any other 404 is of something else: a wrong path, a proxy. */
const SCHEMA_NOT_FOUND = 40403;
const SUBJECT_NOT_FOUND = 40401;
const VERSION_NOT_FOUND = 40402;
const MOST_MESSAGE = 1_000;
/** Chains of references are a few long; a ring of them never ends. */
const MOST_REFERENCES = 64;

interface RestError {
  readonly status: number;
  readonly errorCode: number;
}
const isRestError = (error: unknown): error is Error & RestError =>
  error instanceof Error && "status" in error && typeof error.status === "number" && "errorCode" in error;
const isNotFound = (error: unknown, code: number): boolean => isRestError(error) && error.status === 404 && error.errorCode === code;

/** The address as it may be shown: without name and password. @throws KindredError CONFIG_INVALID */
export function shownUrl(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined) throw new KindredError("CONFIG_INVALID", "registry.url is no address; allowed: http://host:port");
  parsed.username = "";
  parsed.password = "";
  return parsed.href.replace(/\/+$/, "");
}

/** The one place that imports the registry's package, when it is first needed: 31 MB and .2 s of CPU (docs/DECISIONS.md). */
export class RegistryClient {
  /** Without secrets: for messages, and to tell one registry's ids from another's. */
  readonly shown: string;
  readonly #authority: Buffer | undefined;
  /** `name:password`; empty: none. */
  readonly #userInfo: string;
  #client: Promise<SchemaRegistryClient> | undefined;

  /** @throws KindredError CONFIG_INVALID */
  constructor({ url, username, password, caFile }: RegistryAddress) {
    this.shown = shownUrl(url);
    this.#authority = caFile ? readAuthority(caFile) : undefined;
    const given = new URL(url);
    const name = username || decodeURIComponent(given.username);
    this.#userInfo = name === "" ? "" : `${name}:${password || decodeURIComponent(given.password)}`;
  }

  /**
   * undefined where the registry says that it has no such schema.
   * @throws KindredError UNKNOWN_SCHEMA (it cannot be used whatever one waits for), REGISTRY_FAILED
   */
  async schemaOf(id: number): Promise<RegisteredSchema | undefined> {
    const client = await this.#connected();
    let info: SchemaInfo;
    try {
      // No subject: ids are the registry's, whichever topic they are used on.
      info = await client.getBySubjectAndId("", id);
    } catch (error) {
      if (isNotFound(error, SCHEMA_NOT_FOUND)) return undefined;
      throw this.#failed(error);
    }
    const references = new Map<string, string>();
    await this.#collect(client, info, references);
    return {
      type: typeOf(info),
      schema: info.schema,
      references: [...references].map(([name, schema]) => ({ name, schema })),
    };
  }

  /** Registers a schema, or finds it. @throws KindredError SCHEMA_INCOMPATIBLE, REGISTRY_FAILED */
  async register(subject: string, { type, schema }: Pick<RegisteredSchema, "type" | "schema">): Promise<Registered> {
    const client = await this.#connected();
    const info: SchemaInfo = { schema, schemaType: type };
    try {
      const { id, version } = await client.registerFullResponse(subject, info);
      if (id === undefined) throw new Error("the registry's answer names no id");
      // Only newer registries tell the version at once.
      return { id, version: version ?? (await client.getVersion(subject, info)) };
    } catch (error) {
      if (isRestError(error) && error.status === 409)
        throw new KindredError("SCHEMA_INCOMPATIBLE", `the registry refuses it: ${this.#plain(error)}`, `subject ${subject}`);
      throw this.#failed(error, `subject ${subject}`);
    }
  }

  /** Every version of a subject; none where there is no such subject. @throws KindredError REGISTRY_FAILED */
  async versionsOf(subject: string): Promise<SubjectVersion[]> {
    const client = await this.#connected();
    try {
      const versions = await client.getAllVersions(encodeURIComponent(subject));
      const found: SubjectVersion[] = [];
      for (const version of versions) {
        const schema = await client.getSchemaMetadata(subject, version);
        found.push({ subject, version, id: schema.id ?? -1, type: schema.schemaType ?? "AVRO" });
      }
      return found;
    } catch (error) {
      if (isNotFound(error, SUBJECT_NOT_FOUND)) return [];
      throw this.#failed(error, `subject ${subject}`);
    }
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    (await client?.catch(() => undefined))?.close();
  }

  /** What a schema refers to, and what that refers to before it. */
  async #collect(client: SchemaRegistryClient, info: SchemaInfo, found: Map<string, string>, depth = 0): Promise<void> {
    for (const { name, subject, version } of info.references ?? []) {
      if (found.has(name)) continue;
      if (depth >= MOST_REFERENCES || found.size >= MOST_REFERENCES)
        throw new KindredError("UNKNOWN_SCHEMA", `a schema with more than ${MOST_REFERENCES} references`);
      try {
        const referred = await client.getSchemaMetadata(subject, version, true);
        await this.#collect(client, referred, found, depth + 1);
        found.set(name, referred.schema);
      } catch (error) {
        if (isNotFound(error, SUBJECT_NOT_FOUND) || isNotFound(error, VERSION_NOT_FOUND))
          throw new KindredError("UNKNOWN_SCHEMA", `it refers to version ${version} of ${subject}, which the registry does not have`);
        throw error instanceof KindredError ? error : this.#failed(error, `reference ${name}`);
      }
    }
  }

  #connected(): Promise<SchemaRegistryClient> {
    this.#client ??= this.#connect().catch((error: unknown) => {
      this.#client = undefined;
      throw error;
    });
    return this.#client;
  }

  async #connect(): Promise<SchemaRegistryClient> {
    const { SchemaRegistryClient } = await import("@confluentinc/schemaregistry/dist/schemaregistry-client.js");
    return new SchemaRegistryClient({
      baseURLs: [this.shown],
      // Who waits is our own business (schema-cache.ts): it goes on for as long as there is somebody to wait for.
      maxRetries: 0,
      createAxiosDefaults: { timeout: REQUEST_TIMEOUT_MS, ...(this.#authority && { httpsAgent: new Agent({ ca: this.#authority }) }) },
      ...(this.#userInfo !== "" && { basicAuthCredentials: { credentialsSource: "USER_INFO", userInfo: this.#userInfo } }),
    });
  }

  /** The HTTP client's errors carry the request with its headers: only their words go on, and no `cause`. */
  #failed(error: unknown, where?: string): KindredError {
    const status = isRestError(error) ? `answers ${error.status}: ` : "";
    return new KindredError("REGISTRY_FAILED", `the schema registry at ${this.shown}: ${status}${this.#plain(error)}`, where);
  }

  #plain(error: unknown): string {
    // An AggregateError of a refused connection has no message of its own.
    const { message, code } = error as { readonly message?: string; readonly code?: string };
    const text = (message || code || String(error)).replace(/; Error code: -?\d+$/, "");
    const password = this.#userInfo.slice(this.#userInfo.indexOf(":") + 1);
    // A server may quote what it was sent, in whichever form.
    const secrets = [Buffer.from(this.#userInfo).toString("base64"), password, encodeURIComponent(password)];
    return secrets.reduce<string>((shown, secret) => (secret ? shown.replaceAll(secret, "***") : shown), text).slice(0, MOST_MESSAGE);
  }
}

function typeOf({ schemaType = "AVRO" }: SchemaInfo): SchemaType {
  const type = SCHEMA_TYPES.find((known) => known === schemaType);
  if (type === undefined) throw new KindredError("UNKNOWN_SCHEMA", `a schema of the type ${schemaType}; known: ${SCHEMA_TYPES.join(", ")}`);
  return type;
}

/** @throws KindredError CONFIG_INVALID */
function readAuthority(caFile: string): Buffer {
  try {
    return readFileSync(caFile);
  } catch (error) {
    throw new KindredError("CONFIG_INVALID", `registry.caFile cannot be read: ${(error as Error).message}`, caFile);
  }
}
