/**
 * The one table of errors: a stable code, the HTTP status it answers with, what it means,
 * and whether the same call may succeed later. docs/ERRORS.md lists exactly these codes.
 */
export const ERRORS = {
  // What a caller sent
  INVALID_JSON: { status: 400, canRetry: false, title: "The body is not valid JSON" },
  INVALID_BODY: { status: 400, canRetry: false, title: "The body does not have the documented shape" },
  INVALID_PARAMETER: { status: 400, canRetry: false, title: "A parameter is missing or out of range" },
  INVALID_POSITION: { status: 400, canRetry: false, title: "The position is not a token of this log" },
  POSITION_EXPIRED: { status: 410, canRetry: false, title: "The log no longer reaches back to this position: retention has cut it" },
  BODY_TOO_LARGE: { status: 413, canRetry: false, title: "The body is larger than allowed" },
  TOO_MANY_EVENTS: { status: 413, canRetry: false, title: "More events in one request than allowed" },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, canRetry: false, title: "The content type is not accepted here" },
  NOT_FOUND: { status: 404, canRetry: false, title: "No such route" },
  METHOD_NOT_ALLOWED: { status: 405, canRetry: false, title: "The route does not take this method" },
  UNKNOWN_USER: { status: 404, canRetry: false, title: "No behaviour of this user is known" },
  UNKNOWN_ITEM: { status: 404, canRetry: false, title: "This item is not known" },
  UNKNOWN_SCENARIO: { status: 404, canRetry: false, title: "No scenario has this name" },
  TOO_MANY_GENERATIONS: { status: 409, canRetry: false, title: "As many generations are live as may be: retire one first" },
  GENERATION_NOT_READY: {
    status: 409,
    canRetry: true,
    title: "This generation cannot answer yet: its users are still pooled, or its shards built",
  },
  GENERATION_IN_USE: { status: 409, canRetry: false, title: "This generation answers: activate another one first" },
  UNKNOWN_GENERATION: { status: 404, canRetry: false, title: "No generation has this number" },
  // One event or one item of a batch
  EVENT_NOT_AN_OBJECT: { status: 400, canRetry: false, title: "An event is a JSON object" },
  EVENT_USER: { status: 400, canRetry: false, title: "`user` is a string of 1 to 128 characters" },
  EVENT_ITEM: { status: 400, canRetry: false, title: "`item` is a string of 1 to 128 characters" },
  EVENT_ACTION: { status: 400, canRetry: false, title: "`action` is not one of the configured actions" },
  EVENT_TIME: { status: 400, canRetry: false, title: "`ts` is RFC 3339 or epoch milliseconds from 1970 to shortly after now" },
  EVENT_ID: { status: 400, canRetry: false, title: "`id` is a string of 1 to 64 characters" },
  EVENT_TYPE: { status: 400, canRetry: false, title: "`type` is a string of 1 to 128 characters" },
  EVENT_SCENE: { status: 400, canRetry: false, title: "`scene` is a string of 1 to 128 characters" },
  EVENT_VALUE: { status: 400, canRetry: false, title: "`value` is a finite number from 0" },
  EVENT_TOO_LARGE: { status: 413, canRetry: false, title: "One event or line is larger than allowed" },
  ITEM_INFO: { status: 400, canRetry: false, title: "An item's side information does not have the documented shape" },
  // A line of a file or a record of the log
  FILE_LINE: { status: 400, canRetry: false, title: "A line of the file could not be read" },
  FILE_TRUNCATED: { status: 400, canRetry: false, title: "The file ends in the middle of a line or of a compressed block" },
  FILE_FORMAT: { status: 400, canRetry: false, title: "The file is not of the format named, or lacks a mapped column" },
  RECORD_UNREADABLE: { status: 500, canRetry: false, title: "A record of the log could not be decoded" },
  RECORD_KEY: { status: 400, canRetry: false, title: "The key of a record on the topic is not the user it is about" },
  UNKNOWN_SCHEMA: { status: 400, canRetry: false, title: "A record names a schema that the registry does not know" },
  // State of the service
  OVERLOADED: { status: 503, canRetry: true, title: "More work is waiting than may be taken on; try again later" },
  OUT_OF_MEMORY: { status: 503, canRetry: true, title: "There is not enough memory for this" },
  NOT_READY: { status: 503, canRetry: true, title: "The service is starting or stopping" },
  STORAGE_FAILED: { status: 503, canRetry: true, title: "The event could not be made durable; nothing was acknowledged" },
  WRONG_ROLE: { status: 421, canRetry: false, title: "This node has another role; ask one that has this" },
  BROKER_FAILED: {
    status: 503,
    canRetry: true,
    title: "The Kafka brokers do not answer, or refused; what was not acknowledged may be there all the same",
  },
  REGISTRY_FAILED: { status: 503, canRetry: true, title: "The schema registry does not answer, or refused" },
  SCHEMA_INCOMPATIBLE: {
    status: 409,
    canRetry: false,
    title: "The registry refuses a schema that does not fit the earlier ones of its subject",
  },
  OWNERSHIP_LOST: { status: 503, canRetry: true, title: "Another updater owns the partition now" },
  NOT_FETCHED: { status: 500, canRetry: false, title: "A partition is held and behind, but nothing of it is fetched" },
  TOPIC_MISMATCH: { status: 500, canRetry: false, title: "A topic is not the one that the state was made of" },
  INTERNAL: { status: 500, canRetry: false, title: "An internal error; the log of the server has the details" },
  // Directories and files
  DIRECTORY_IN_USE: { status: 409, canRetry: true, title: "The data directory is in use by another process" },
  DIRECTORY_NEWER: { status: 409, canRetry: false, title: "The data directory was written by a newer version of kindred" },
  JOURNAL_CORRUPT: { status: 500, canRetry: false, title: "The journal is damaged" },
  STATE_CORRUPT: { status: 500, canRetry: false, title: "The state is damaged, or does not equal what its profile says" },
  STATE_INCOMPLETE: {
    status: 503,
    canRetry: true,
    title: "The state has a part of a commit only; the rest of its changelog is to be applied first",
  },
  SHARD_CORRUPT: { status: 500, canRetry: false, title: "A shard file is damaged; it is not used and will be rebuilt" },
  SHARD_UNVERIFIED: { status: 500, canRetry: true, title: "A shard set failed its verification and was not published" },
  MODEL_INVALID: {
    status: 400,
    canRetry: false,
    title: "A model folder or checkpoint is incomplete, damaged, of another version, or not of these data",
  },
  ADDON_MISSING: { status: 500, canRetry: false, title: "The native addon is not built; run npm start or npm test" },
  ENGINE_MISSING: { status: 500, canRetry: false, title: "The package of the configured index.engine is not installed" },
  INVALID_ARGUMENT: { status: 500, canRetry: false, title: "An argument is out of its documented range" },
  // Configuration and commands
  CONFIG_INVALID: { status: 500, canRetry: false, title: "The configuration is wrong" },
  USAGE: { status: 400, canRetry: false, title: "The command was called wrongly" },
  UNKNOWN_CATALOGUE: { status: 500, canRetry: false, title: "The log activates a catalogue that is not stored" },
} as const satisfies Record<string, { status: number; canRetry: boolean; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

export const isErrorCode = (code: unknown): code is ErrorCode => typeof code === "string" && Object.hasOwn(ERRORS, code);

/** An error with a stable code. `where` names the place: `line 12`, `partition 0 offset 77`, `config index.ef`. */
export class KindredError extends Error {
  override readonly name = "KindredError";
  readonly status: number;
  readonly canRetry: boolean;

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly where?: string,
    options?: { cause?: unknown; retryAfterSeconds?: number },
  ) {
    super(where === undefined ? message : `${message} (${where})`, options?.cause === undefined ? undefined : { cause: options.cause });
    this.status = ERRORS[code].status;
    this.canRetry = ERRORS[code].canRetry;
    this.retryAfterSeconds = options?.retryAfterSeconds ?? (this.canRetry && this.status === 503 ? 1 : undefined);
  }

  readonly retryAfterSeconds: number | undefined;
}
