#include "crc32c.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kindred {

namespace {

struct Tables {
  uint32_t of[8][256];
  Tables() {
    for (uint32_t i = 0; i < 256; i++) {
      uint32_t crc = i;
      for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
      of[0][i] = crc;
    }
    for (int t = 1; t < 8; t++)
      for (uint32_t i = 0; i < 256; i++) of[t][i] = (of[t - 1][i] >> 8) ^ of[0][of[t - 1][i] & 0xff];
  }
};

// Slicing by eight (Kounavis and Berry 2005).
uint32_t Plain(uint32_t crc, const uint8_t* at, size_t count) {
  static const Tables tables;
  for (; count >= 8; count -= 8, at += 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    word ^= crc;
    crc = 0;
    for (int i = 0; i < 8; i++) crc ^= tables.of[7 - i][(word >> (8 * i)) & 0xff];
  }
  for (; count > 0; count--) crc = (crc >> 8) ^ tables.of[0][(crc ^ *at++) & 0xff];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t Hardware(uint32_t crc, const uint8_t* at, size_t count) {
  uint64_t wide = crc;
  for (; count >= 8; count -= 8, at += 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = static_cast<uint32_t>(wide);
  for (; count > 0; count--) crc = _mm_crc32_u8(crc, *at++);
  return crc;
}
#endif

}  // namespace

uint32_t Crc32c(uint32_t before, const void* bytes, size_t count) {
  const uint8_t* at = static_cast<const uint8_t*>(bytes);
#if defined(__x86_64__)
  static const bool has = __builtin_cpu_supports("sse4.2");
  if (has) return ~Hardware(~before, at, count);
#endif
  return ~Plain(~before, at, count);
}

}  // namespace kindred
