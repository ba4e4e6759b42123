import { type ErrorCode, KindredError } from "../../schemas/errors.js";

/** What kafkajs throws: its own errors, and those of the protocol with the broker's code in `type`. */
interface BrokerError {
  readonly name?: string;
  readonly message?: string;
  readonly type?: string;
  readonly retriable?: boolean;
  readonly cause?: unknown;
}

/** Types that say that another producer has taken this transactional id, or that the coordinator ended it. */
const FENCED = new Set([
  "PRODUCER_FENCED",
  "INVALID_PRODUCER_EPOCH",
  "INVALID_PRODUCER_ID_MAPPING",
  "INVALID_TXN_STATE",
  "TRANSACTIONAL_ID_NOT_FOUND",
]);

/** What kafkajs gives up at although it passes. */
const PASSING = new Set([
  "KafkaJSGroupCoordinatorNotFound",
  "KafkaJSNoBrokerAvailableError",
  "KafkaJSNumberOfRetriesExceeded",
  "KafkaJSTimeout",
  "KafkaJSLockTimeout",
]);

/** The error and what caused it, outermost first. */
function* chain(error: unknown): Iterable<BrokerError> {
  for (let at = error as BrokerError | undefined, depth = 0; at && depth < 10; at = at.cause as BrokerError | undefined, depth++) yield at;
}

export const isFenced = (error: unknown): boolean => [...chain(error)].some(({ type }) => type !== undefined && FENCED.has(type));

/** Whether the same may succeed once the brokers are there again. */
export const isPassing = (error: unknown): boolean =>
  [...chain(error)].some(({ name, retriable }) => retriable === true || (name !== undefined && PASSING.has(name)));

/** The broker's own word for what went wrong, of the innermost error that has one. */
export const typeOf = (error: unknown): string | undefined => [...chain(error)].findLast(({ type }) => type !== undefined)?.type;

/** What kafkajs threw, with a code of ours. */
export function asKindredError(error: unknown, what: string, code: ErrorCode = "BROKER_FAILED"): KindredError {
  if (error instanceof KindredError) return error;
  const { message } = (error ?? {}) as BrokerError;
  return new KindredError(code, `${what}: ${message ?? String(error)}`, undefined, { cause: error });
}
