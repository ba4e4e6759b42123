#include "fold_filter.h"

namespace kindred::read_model {

namespace {

constexpr uint64_t kEach = 0x0001'0001'0001'0001u;

// Both are built and the machine chooses. (ThreadSanitizer cannot start with such functions.)
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define KINDRED_AVX2 __attribute__((target_clones("avx2", "default")))
#else
#define KINDRED_AVX2
#endif

}  // namespace

FoldFilter::FoldFilter(uint16_t fold, int distance) : folds_(kEach * fold), excess_(kEach * static_cast<uint64_t>(0x7fff - distance)) {}

// Bits counted in parallel within each 16 (Warren, "Hacker's Delight", 5-1), then carried into the highest bit where they
// are more than `distance`.
KINDRED_AVX2 bool FoldFilter::AllFar(const uint64_t (&words)[kWords], uint64_t (&far)[kWords]) const {
  uint64_t all = kFar;
  for (uint32_t i = 0; i < kWords; i++) {
    uint64_t x = words[i] ^ folds_;
    x -= (x >> 1) & 0x5555'5555'5555'5555u;
    x = (x & 0x3333'3333'3333'3333u) + ((x >> 2) & 0x3333'3333'3333'3333u);
    x = (x + (x >> 4)) & 0x0f0f'0f0f'0f0f'0f0fu;
    x = (x + (x >> 8)) & 0x00ff'00ff'00ff'00ffu;
    far[i] = (x + excess_) & kFar;
    all &= far[i];
  }
  return all == kFar;
}

}  // namespace kindred::read_model
