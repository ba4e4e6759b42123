import { KindredError } from "../../schemas/errors.js";

/**
 * Stands for a part that is there only later: the server listens (and says that it is not ready) while the updater still
 * catches up. Until it is set, using it is NOT_READY.
 */
export class LatePart<T extends object> {
  private part: T | undefined;
  readonly proxy: T;

  constructor(name: string) {
    this.proxy = new Proxy({} as T, {
      get: (_, key) => {
        const { part } = this;
        if (!part) throw new KindredError("NOT_READY", `${name} is not there yet`);
        const value: unknown = Reflect.get(part, key, part);
        // Bound: classes with private fields do not work through a proxy.
        return typeof value === "function" ? value.bind(part) : value;
      },
    });
  }

  set(part: T): void {
    this.part = part;
  }

  get(): T {
    if (!this.part) throw new KindredError("NOT_READY", "not there yet");
    return this.part;
  }
}
