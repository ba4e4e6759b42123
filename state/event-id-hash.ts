/** The two halves of the hash last computed: module-level, so that an event costs no allocation. */
export const eventIdHash = { hi: 0, lo: 0 };

/**
 * 64-bit hash of an event's idempotency key into `eventIdHash`: two 32-bit lanes of xor and multiply over the UTF-16 code units,
 * crossed and finished as MurmurHash3 finishes (Appleby 2008). Compared only within one user's ring (at most 1,024 ids),
 * so an accidental collision has a chance of about 2^-54; a producer who forges one drops an event of its own.
 */
export function hashEventId(id: string): void {
  let a = 0xdeadbeef ^ id.length;
  let b = 0x41c6ce57 ^ id.length;
  for (let i = 0; i < id.length; i++) {
    const unit = id.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x9e3779b1);
    a ^= a >>> 15;
    b = Math.imul(b ^ unit, 0x5f356495);
    b ^= b >>> 13;
  }
  eventIdHash.hi = finish(a ^ Math.imul(b, 0x85ebca6b));
  eventIdHash.lo = finish(b ^ Math.imul(a, 0xc2b2ae35));
}

function finish(lane: number): number {
  let h = lane;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
