import { isErrorCode, KindredError } from "../schemas/errors.js";

/** What the addon or its loading threw, as an error of ours; INTERNAL where its code is none of the error table: nobody foresaw it. */
export function fromNative(error: unknown): KindredError {
  if (error instanceof KindredError) return error;
  const { code, message } = error instanceof Error ? (error as Error & { code?: unknown }) : { code: undefined, message: String(error) };
  return new KindredError(isErrorCode(code) ? code : "INTERNAL", message, undefined, { cause: error });
}

/** What `work` returns, with errors of the addon translated. */
export function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fromNative(error);
  }
}

export async function translatedAsync<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fromNative(error);
  }
}
