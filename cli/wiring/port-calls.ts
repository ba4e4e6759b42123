import { type ErrorCode, isErrorCode, KindredError } from "../../schemas/errors.js";

/** Asynchronous functions that one thread offers another. Arguments and results are copied (structured clone). */
export type Calls = { readonly [name: string]: (...args: never[]) => Promise<unknown> };

/** What is needed of a MessagePort or a Worker. */
export interface Port {
  postMessage(message: unknown): void;
  on(event: "message", listener: (message: unknown) => void): unknown;
  off(event: "message", listener: (message: unknown) => void): unknown;
}

export interface SentError {
  readonly code?: ErrorCode | undefined;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

interface Question {
  readonly kind: "call";
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}
interface Answer {
  readonly kind: "answer";
  readonly id: number;
  readonly value?: unknown;
  readonly error?: SentError;
}

const isKind = <T extends { kind: string }>(message: unknown, kind: T["kind"]): message is T =>
  typeof message === "object" && message !== null && (message as { kind?: unknown }).kind === kind;

/** An error as it crosses threads: class and code do not survive a structured clone. */
export function toSentError(error: unknown): SentError {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = (error as { code?: unknown }).code;
  return {
    message: error.message,
    stack: error.stack,
    ...(isErrorCode(code) && { code }),
    ...(error instanceof KindredError && { retryAfterSeconds: error.retryAfterSeconds }),
  };
}

/** The error again; one without a code of ours is INTERNAL, with the other thread's stack as its cause. */
export function fromSentError({ code, message, stack, retryAfterSeconds }: SentError): KindredError {
  return new KindredError(code ?? "INTERNAL", message, undefined, {
    cause: stack,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  });
}

/** Answers another thread's calls until the returned function is called. */
export function answerCalls<C extends Calls>(port: Port, calls: C): () => void {
  const onMessage = (message: unknown): void => {
    if (!isKind<Question>(message, "call")) return;
    const { id, name, args } = message;
    const call = Object.hasOwn(calls, name) ? calls[name] : undefined;
    const result = call === undefined ? Promise.reject(new KindredError("INTERNAL", `no such call: ${name}`)) : call(...(args as never[]));
    result.then(
      (value) => port.postMessage({ kind: "answer", id, value } satisfies Answer),
      (error: unknown) => port.postMessage({ kind: "answer", id, error: toSentError(error) } satisfies Answer),
    );
  };
  port.on("message", onMessage);
  return () => port.off("message", onMessage);
}

/** The other thread's calls, to be called here. */
export class RemoteCalls<C extends Calls> {
  private readonly waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  private nextId = 1;
  private closed: KindredError | undefined;

  constructor(private readonly port: Port) {
    port.on("message", (message: unknown) => {
      if (!isKind<Answer>(message, "answer")) return;
      const waiter = this.waiting.get(message.id);
      this.waiting.delete(message.id);
      if (message.error) waiter?.reject(fromSentError(message.error));
      else waiter?.resolve(message.value);
    });
  }

  call<N extends keyof C & string>(name: N, ...args: Parameters<C[N]>): ReturnType<C[N]> {
    const answer = new Promise<unknown>((resolve, reject) => {
      if (this.closed) return reject(this.closed);
      const id = this.nextId++;
      this.waiting.set(id, { resolve, reject });
      this.port.postMessage({ kind: "call", id, name, args } satisfies Question);
    });
    return answer as ReturnType<C[N]>;
  }

  /** The other thread is gone: what waits and what comes is refused. */
  close(error: KindredError): void {
    this.closed ??= error;
    for (const waiter of this.waiting.values()) waiter.reject(this.closed);
    this.waiting.clear();
  }
}
