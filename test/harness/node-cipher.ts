import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { PayloadCipher } from "../../schemas/ports/event-log.js";

const nonceOf = (nonce: number): Buffer => {
  const bytes = Buffer.alloc(12);
  bytes.writeDoubleLE(nonce);
  return bytes;
};

/** The payload cipher by node:crypto: slow, and needs no addon. Sealed = ciphertext, then the 16 bytes of the tag. */
export class NodeCipher implements PayloadCipher {
  newKey(): Uint8Array {
    return randomBytes(32);
  }

  seal(keys: readonly Uint8Array[], nonces: readonly number[], payloads: readonly Uint8Array[]): Uint8Array[] {
    return payloads.map((payload, i) => {
      const cipher = createCipheriv("chacha20-poly1305", keys[i] as Uint8Array, nonceOf(nonces[i] as number), { authTagLength: 16 });
      return Buffer.concat([cipher.update(payload), cipher.final(), cipher.getAuthTag()]);
    });
  }

  open(keys: readonly Uint8Array[], nonces: readonly number[], sealed: readonly Uint8Array[]): (Uint8Array | null)[] {
    return sealed.map((bytes, i) => {
      if (bytes.length < 16) return null;
      const decipher = createDecipheriv("chacha20-poly1305", keys[i] as Uint8Array, nonceOf(nonces[i] as number), { authTagLength: 16 });
      decipher.setAuthTag(bytes.subarray(bytes.length - 16));
      try {
        return Buffer.concat([decipher.update(bytes.subarray(0, bytes.length - 16)), decipher.final()]);
      } catch {
        return null;
      }
    });
  }
}
