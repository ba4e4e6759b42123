import { ERRORS, type ErrorCode, KindredError } from "../../schemas/errors.js";

/** An error of the addon as one of ours; others pass as they are. */
export function fromNative(error: unknown): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  if (error instanceof KindredError || typeof code !== "string" || !(code in ERRORS)) return error;
  return new KindredError(code as ErrorCode, (error as Error).message, undefined, { cause: error });
}

/** What `work` returns, with errors of the addon translated. */
export function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fromNative(error);
  }
}

export async function translatedAsync<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fromNative(error);
  }
}
