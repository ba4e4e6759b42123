import { KindredError } from "../../schemas/errors.js";

/**
 * Stands for a part that is there only later: the server listens (and says that it is not ready) while the updater still
 * catches up. Until it is set, using it is NOT_READY; where it will never be, what it is refused with.
 */
export class LatePart<T extends object> {
  private part: T | undefined;
  private refusal: KindredError | undefined;
  readonly proxy: T;

  constructor(private readonly name: string) {
    this.proxy = new Proxy({} as T, {
      get: (_, key) => {
        const part = this.get();
        const value: unknown = Reflect.get(part, key, part);
        // Bound: classes with private fields do not work through a proxy.
        return typeof value === "function" ? value.bind(part) : value;
      },
    });
  }

  set(part: T): void {
    this.part = part;
  }

  /** There will be none. */
  refuse(reason: KindredError): void {
    this.refusal = reason;
  }

  get(): T {
    if (!this.part) throw this.refusal ?? new KindredError("NOT_READY", `${this.name} is not there yet`);
    return this.part;
  }
}
