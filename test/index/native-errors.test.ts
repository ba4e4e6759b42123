import { describe, expect, it } from "vitest";
import { fromNative, translated, translatedAsync } from "../../index/native-errors.js";
import { KindredError } from "../../schemas/errors.js";

const coded = (code: unknown): Error => Object.assign(new Error("of the addon"), { code });

describe("an error of the addon", () => {
  it("keeps a code of the error table, with its status", () => {
    const error = coded("ADDON_MISSING");
    expect(fromNative(error)).toMatchObject({ name: "KindredError", code: "ADDON_MISSING", message: "of the addon", cause: error });
    expect(fromNative(coded("OUT_OF_MEMORY"))).toMatchObject({ status: 503, canRetry: true });
  });

  it("is INTERNAL without one: nobody foresaw it, and it is not the caller's fault", () => {
    for (const code of ["ERR_DLOPEN_FAILED", "constructor", "__proto__", "", 7, undefined])
      expect(fromNative(coded(code)), String(code)).toMatchObject({ name: "KindredError", code: "INTERNAL", message: "of the addon" });
    const error = new TypeError("no such function");
    expect(fromNative(error)).toMatchObject({ code: "INTERNAL", message: "no such function", cause: error });
    expect(fromNative("a text")).toMatchObject({ code: "INTERNAL", message: "a text" });
  });

  it("that is one of ours already passes as it is", () => {
    const error = new KindredError("NOT_READY", "closed", "shard 0");
    expect(fromNative(error)).toBe(error);
  });

  it("is translated whether it is thrown at once or later", async () => {
    const fail = (): never => {
      throw coded("SHARD_CORRUPT");
    };
    const refused = expect.objectContaining({ name: "KindredError", code: "SHARD_CORRUPT" });
    expect(() => translated(fail)).toThrow(refused);
    await expect(translatedAsync(fail)).rejects.toEqual(refused);
    await expect(translatedAsync(async () => fail())).rejects.toEqual(refused);
    expect(translated(() => 1)).toBe(1);
    expect(await translatedAsync(() => 2)).toBe(2);
  });
});
