import type { PayloadCipher } from "../schemas/ports/event-log.js";
import { loadAddon } from "./addon.js";

interface NativeCipher {
  /** All arguments joined; the sealed payloads joined. */
  seal(keys: Uint8Array, nonces: Float64Array, lengths: Uint32Array, payloads: Uint8Array): Uint8Array;
  /** One byte each that says whether it could be opened, then the payloads joined. */
  open(keys: Uint8Array, nonces: Float64Array, lengths: Uint32Array, sealed: Uint8Array): Uint8Array;
  newKey(): Uint8Array;
}

const KEY_BYTES = 32;
const TAG_BYTES = 16;

const invalid = (message: string): Error => Object.assign(new Error(message), { code: "INVALID_ARGUMENT" });

function join(parts: readonly Uint8Array[], lengths: Uint32Array): Uint8Array {
  let total = 0;
  for (let i = 0; i < parts.length; i++) total += lengths[i] = parts[i]!.length;
  const joined = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function joinKeys(keys: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(keys.length * KEY_BYTES);
  keys.forEach((key, i) => {
    if (key.length !== KEY_BYTES) throw invalid(`a key has ${KEY_BYTES} bytes`);
    joined.set(key, i * KEY_BYTES);
  });
  return joined;
}

/**
 * ChaCha20-Poly1305 (RFC 8439) by libsodium. The 96-bit nonce is four zero bytes and the number given, little-endian;
 * a number must never seal twice under one key. Many payloads cross in one call and come back as views of one buffer,
 * which lives as long as any of them.
 * @throws Error with `code` INVALID_ARGUMENT for a key not of 32 bytes, a nonce that is no integer from 0, or arrays of different lengths
 */
export class SodiumCipher implements PayloadCipher {
  readonly #native: NativeCipher;

  /** @throws Error with `code` ADDON_MISSING */
  constructor() {
    this.#native = (loadAddon() as { readonly cipher: NativeCipher }).cipher;
  }

  newKey(): Uint8Array {
    return this.#native.newKey();
  }

  seal(keys: readonly Uint8Array[], nonces: readonly number[], payloads: readonly Uint8Array[]): Uint8Array[] {
    const lengths = new Uint32Array(payloads.length);
    const sealed = this.#native.seal(joinKeys(keys), Float64Array.from(nonces), lengths, join(payloads, lengths));
    let end = 0;
    return payloads.map((payload) => {
      const start = end;
      end += payload.length + TAG_BYTES;
      return sealed.subarray(start, end);
    });
  }

  open(keys: readonly Uint8Array[], nonces: readonly number[], sealed: readonly Uint8Array[]): (Uint8Array | null)[] {
    const lengths = new Uint32Array(sealed.length);
    const opened = this.#native.open(joinKeys(keys), Float64Array.from(nonces), lengths, join(sealed, lengths));
    let end = sealed.length;
    return sealed.map((part, i) => {
      const start = end;
      end += Math.max(0, part.length - TAG_BYTES);
      return opened[i] === 1 ? opened.subarray(start, end) : null;
    });
  }
}
