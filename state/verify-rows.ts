import { KindredError } from "../schemas/errors.js";
import type { UserId } from "../schemas/ids.js";
import type { VerifyReport } from "../schemas/ports/admin.js";
import { FINGERPRINT_BITS, Row } from "../schemas/row.js";
import { finish } from "./derived-fields.js";
import type { FoldContext } from "./fold-context.js";
import { isRowKey, META_KEY, userOfRowKey } from "./keys.js";
import { decodeMeta, EMPTY_META } from "./partition-meta.js";
import { HashSum, RowHasher } from "./state-hash.js";
import { UserRow } from "./user-row.js";

const MAX_FAULTS = 100;

/**
 * Checks the meta and all rows of one consistent iteration: each row's hash, total weight, accumulators, sums, fingerprint and
 * order must equal what its profile gives, and the hashes must add up to the stored sum.
 */
export async function verifyRows(
  pairs: AsyncIterable<readonly [Uint8Array, Uint8Array]>,
  contexts: readonly FoldContext[],
  where: string,
): Promise<VerifyReport> {
  const hasher = new RowHasher();
  const sum = new HashSum();
  const faults: { user: string; field: string }[] = [];
  let faultCount = 0;
  let rows = 0;
  let meta = EMPTY_META;
  const fault = (user: string, field: string): void => {
    faultCount += 1;
    if (faults.length < MAX_FAULTS) faults.push({ user, field });
  };
  for await (const [key, value] of pairs) {
    if (Buffer.compare(key, META_KEY) === 0) meta = decodeMeta(value, where);
    if (!isRowKey(key)) continue;
    const user = userOfRowKey(key);
    rows += 1;
    try {
      for (const field of faultsOf(user, value, contexts, hasher, sum)) fault(user, field);
    } catch (error) {
      if (!(error instanceof KindredError)) throw error;
      fault(user, "row");
    }
  }
  if (rows !== meta.rows) fault("", "rows");
  return { rows, storedHash: meta.hash, recomputedHash: sum.toString(), faults, faultCount };
}

function faultsOf(user: UserId, bytes: Uint8Array, contexts: readonly FoldContext[], hasher: RowHasher, sum: HashSum): string[] {
  const stored = Row.decode(bytes, `user ${user}`);
  const context = contexts.find(({ activation }) => activation === stored.activation);
  if (context === undefined) return ["activation"];
  for (let i = 0; i < stored.entryCount; i++) if (stored.entryItem(i) >= context.items.size) return ["entries"];
  const again = new UserRow(user, Row.decode(bytes));
  again.refresh(context.decay);
  const order = Array.from({ length: stored.entryCount }, (_, i) => stored.entryItem(i));
  again.sort(context.items);
  again.stale = true;
  finish(again, context);
  hasher.hashInto(again, context.items, again.row.u32, again.row.hashWord);
  sum.add(again.row.u32, again.row.hashWord);
  const faults: string[] = [];
  if (order.some((item, i) => item !== again.row.entryItem(i))) faults.push("order");
  if (stored.totalWeight !== again.row.totalWeight) faults.push("totalWeight");
  if (differ(stored, again.row, stored.accumulatorsAt, FINGERPRINT_BITS)) faults.push("accumulators");
  stored.layout.generations.forEach(({ generation, dims }, g) => {
    if (differ(stored, again.row, stored.sumsAt[g] as number, dims)) faults.push(`sums of generation ${generation}`);
  });
  if (
    stored.hasFingerprint !== again.row.hasFingerprint ||
    stored.fingerprintHi !== again.row.fingerprintHi ||
    stored.fingerprintLo !== again.row.fingerprintLo
  )
    faults.push("fingerprint");
  for (let word = 0; word < 4; word++) {
    if (stored.u32[stored.hashWord + word] === again.row.u32[again.row.hashWord + word]) continue;
    faults.push("hash");
    break;
  }
  return faults;
}

function differ(a: Row, b: Row, at: number, length: number): boolean {
  for (let i = at; i < at + length; i++) if (a.f64[i] !== b.f64[i]) return true;
  return false;
}
