import { hash } from "node:crypto";
import type { KeywordKind } from "../schemas/catalogue.js";
import { FINGERPRINT_BITS } from "../schemas/row.js";

/**
 * SimHash (Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002; 64 bits, Hamming distance <= 3
 * by 4 blocks of 16 bits: Manku, Jain, Das Sarma, "Detecting near-duplicates for web crawling", WWW 2007). Each keyword adds
 * its weight to the accumulators where its hash has a 1 and takes it away where it has a 0; a bit of the fingerprint is the
 * sign of its accumulator. In integers, so that what was added can be taken away again exactly.
 */
export interface KeywordHash {
  /** Bits 63..32. */
  readonly hi: number;
  /** Bits 31..0. */
  readonly lo: number;
}

/** The first 8 bytes, big endian, of SHA-256 of `kind NUL label` in UTF-8. */
export function keywordHash(kind: KeywordKind, label: string): KeywordHash {
  const hex = hash("sha256", `${kind}\0${label}`, "hex");
  return { hi: Number.parseInt(hex.slice(0, 8), 16), lo: Number.parseInt(hex.slice(8, 16), 16) };
}

/** Adds `weight` (an integer) by the signs of a keyword's bits: accumulators f64[at .. at + 63]. */
export function addKeyword(f64: Float64Array, at: number, hi: number, lo: number, weight: number): void {
  for (let bit = 0; bit < 32; bit++) {
    f64[at + bit] = (f64[at + bit] as number) + ((lo >>> bit) & 1 ? weight : -weight);
    f64[at + 32 + bit] = (f64[at + 32 + bit] as number) + ((hi >>> bit) & 1 ? weight : -weight);
  }
}

/** The fingerprint that accumulators f64[at .. at + 63] give: bit = accumulator > 0. `has` is false while all are zero. */
export function fingerprintOf(f64: Float64Array, at: number): KeywordHash & { readonly has: boolean } {
  let hi = 0;
  let lo = 0;
  let has = false;
  for (let bit = 0; bit < FINGERPRINT_BITS; bit++) {
    const accumulator = f64[at + bit] as number;
    if (accumulator !== 0) has = true;
    if (accumulator <= 0) continue;
    if (bit < 32) lo |= 1 << bit;
    else hi |= 1 << (bit - 32);
  }
  return { has, hi: hi >>> 0, lo: lo >>> 0 };
}

/** 16 lower-case hex digits. */
export const formatFingerprint = (hi: number, lo: number): string => hi.toString(16).padStart(8, "0") + lo.toString(16).padStart(8, "0");
