import type { UserId } from "../../schemas/ids.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import { Row } from "../../schemas/row.js";

const BANDS = 4;
const [BAND, ROW] = [0x62, 0x72];

export interface BandLookup {
  /** Hamming distance by user, `user` left out. */
  readonly found: ReadonlyMap<UserId, number>;
  /** Band keys read: each is one comparison. */
  readonly comparisons: number;
}

/**
 * Who is near a user by the store's keys alone (`band | block | user`), as several processes over one store would find out:
 * four ranges are read, and each user in them is compared by the row. To distance 3 nobody is missed.
 */
export async function lookUpByBandKeys(store: KeyValueStore, user: UserId, distance: number): Promise<BandLookup> {
  const [own] = await fingerprintsOf(store, [user]);
  const found = new Map<UserId, number>();
  if (own === undefined) return { found, comparisons: 0 };
  const candidates = new Set<UserId>();
  let comparisons = 0;
  for (let block = 0; block < BANDS; block++) {
    const bits = Number((own >> BigInt(16 * block)) & 0xffffn);
    const prefix = [BAND, block, bits >>> 8, bits & 0xff];
    for await (const [key] of store.iterate({ gte: Uint8Array.from(prefix), lt: after(prefix) })) {
      comparisons++;
      candidates.add(Buffer.from(key.subarray(prefix.length)).toString("utf8") as UserId);
    }
  }
  candidates.delete(user);
  const others = [...candidates];
  for (const [i, other] of (await fingerprintsOf(store, others)).entries()) {
    const between = other === undefined ? Number.POSITIVE_INFINITY : hamming(own, other);
    if (between <= distance) found.set(others[i] as UserId, between);
  }
  return { found, comparisons };
}

/** The first bytes that do not begin with `prefix` any more; the prefix of a band is never all 0xff. */
function after(prefix: readonly number[]): Uint8Array {
  const next = [...prefix];
  for (let i = next.length - 1; ; i--) {
    if (next[i] !== 0xff) {
      next[i] = (next[i] as number) + 1;
      return Uint8Array.from(next.slice(0, i + 1));
    }
  }
}

async function fingerprintsOf(store: KeyValueStore, users: readonly UserId[]): Promise<(bigint | undefined)[]> {
  const rows = await store.getMany(users.map((user) => Buffer.concat([Buffer.of(ROW), Buffer.from(user, "utf8")])));
  return rows.map((bytes) => {
    if (bytes === undefined) return undefined;
    const row = Row.decode(bytes);
    return row.hasFingerprint ? (BigInt(row.fingerprintHi) << 32n) | BigInt(row.fingerprintLo) : undefined;
  });
}

export function hamming(a: bigint, b: bigint): number {
  let distance = 0;
  for (let rest = a ^ b; rest > 0n; rest &= rest - 1n) distance++;
  return distance;
}
