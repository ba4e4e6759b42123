import { createCipheriv } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SodiumCipher } from "../../native/cipher.js";

const cipher = new SodiumCipher();
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Node's own ChaCha20-Poly1305, with the nonce as the class documents it. */
function sealedByNode(key: Uint8Array, nonce: number, payload: Uint8Array): Uint8Array {
  const iv = Buffer.alloc(12);
  iv.writeBigUInt64LE(BigInt(nonce), 4);
  const node = createCipheriv("chacha20-poly1305", key, iv, { authTagLength: 16 });
  return new Uint8Array(Buffer.concat([node.update(payload), node.final(), node.getAuthTag()]));
}

const one = fc.record({
  key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  nonce: fc.maxSafeNat(),
  payload: fc.uint8Array({ maxLength: 300 }),
});
const columns = (all: { key: Uint8Array; nonce: number; payload: Uint8Array }[]) =>
  [all.map((a) => a.key), all.map((a) => a.nonce), all.map((a) => a.payload)] as const;

describe("SodiumCipher", () => {
  test("seals as node:crypto does, and opens what it sealed", () => {
    fc.assert(
      fc.property(fc.array(one, { maxLength: 20 }), (all) => {
        const [keys, nonces, payloads] = columns(all);
        const sealed = cipher.seal(keys, nonces, payloads);
        expect(sealed).toEqual(all.map(({ key, nonce, payload }) => sealedByNode(key, nonce, payload)));
        expect(cipher.open(keys, nonces, sealed)).toEqual(payloads);
      }),
    );
  });

  test("the zero vector is what RFC 8439 gives", () => {
    const key = new Uint8Array(32);
    // RFC 8439 A.1, test vector 2: the key stream of block 1 under a key and nonce of zeros.
    const sealed = cipher.seal([key], [0], [new Uint8Array(32)])[0]!;
    expect(Buffer.from(sealed.subarray(0, 32)).toString("hex")).toBe("9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed");
  });

  test("one changed bit, another key or another nonce gives null, and the others of the batch are opened", () => {
    const key = cipher.newKey();
    const sealed = cipher.seal([key, key, key], [1, 2, 3], [bytes("one"), bytes(""), bytes("three")]);
    for (let bit = 0; bit < sealed[0]!.length * 8; bit++) {
      const changed = sealed[0]!.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(cipher.open([key, key, key], [1, 2, 3], [changed, sealed[1]!, sealed[2]!])).toEqual([null, bytes(""), bytes("three")]);
    }
    expect(cipher.open([cipher.newKey(), key], [1, 2], sealed.slice(0, 2))).toEqual([null, bytes("")]);
    expect(cipher.open([key], [2 ** 53 - 1], [sealed[0]!])).toEqual([null]);
  });

  test("what is too short to have been sealed gives null", () => {
    const key = cipher.newKey();
    const sealed = cipher.seal([key], [7], [bytes("x")])[0]!;
    for (let length = 0; length < sealed.length; length++) expect(cipher.open([key], [7], [sealed.subarray(0, length)])).toEqual([null]);
    expect(cipher.open([key, key], [7, 7], [new Uint8Array(), sealed])).toEqual([null, bytes("x")]);
  });

  test("keys are 32 bytes and not twice the same", () => {
    const keys = new Set(Array.from({ length: 100 }, () => Buffer.from(cipher.newKey()).toString("hex")));
    expect(keys.size).toBe(100);
    for (const key of keys) expect(key).toHaveLength(64);
  });

  test("wrong arguments are refused with a code", () => {
    const key = cipher.newKey();
    const refused = expect.objectContaining({ code: "INVALID_ARGUMENT" });
    expect(() => cipher.seal([key.subarray(1)], [1], [bytes("x")])).toThrow(refused);
    expect(() => cipher.seal([key], [1, 2], [bytes("x")])).toThrow(refused);
    expect(() => cipher.seal([key], [1], [])).toThrow(refused);
    expect(() => cipher.open([], [1], [bytes("x")])).toThrow(refused);
    for (const nonce of [-1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])
      expect(() => cipher.seal([key], [nonce], [bytes("x")])).toThrow(refused);
  });

  test("nothing is nothing", () => {
    expect(cipher.seal([], [], [])).toEqual([]);
    expect(cipher.open([], [], [])).toEqual([]);
  });
});
