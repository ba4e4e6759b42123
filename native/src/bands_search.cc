// The readers' side of the bands.
#include <algorithm>

#include "bands.h"
#include "fold_filter.h"
#include "ordinal_table.h"

namespace kindred::read_model {

// The compiler's own popcount is a table look-up unless told to use the instruction, so both are built and the
// machine chooses. (ThreadSanitizer cannot start with such functions.)
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define KINDRED_POPCNT __attribute__((target_clones("popcnt", "default")))
#else
#define KINDRED_POPCNT
#endif

namespace {

// Slots of a table that need not grow for so many.
uint32_t TableFor(size_t count) {
  uint32_t slots = 256;
  while (slots < count * 2 + 2) slots *= 2;
  return slots;
}

}  // namespace

uint64_t Bands::Entries(uint64_t fingerprint) const {
  uint64_t entries = 0;
  for (int band = 0; band < kBands; band++) {
    const BandBucket* bucket = buckets_[NumberOf(band, fingerprint)].load(std::memory_order_acquire);
    if (bucket == nullptr) continue;
    const uint32_t size = bucket->entries();
    entries += size - bucket->StartFor(bucket_cap_, size);
  }
  return entries;
}

// One search by the bands.
class Bands::Look {
 public:
  Look(const Bands& bands, uint64_t fingerprint, uint32_t self, int distance, Search& search)
      : bands_(bands), fingerprint_(fingerprint), self_(self), distance_(distance), filter_(FoldOf(fingerprint), distance), search_(search) {}

  void Into(const BandBucket& bucket, int band) {
    const uint32_t size = bucket.entries();
    const uint32_t start = bucket.StartFor(bands_.bucket_cap_, size);
    if (start > 0) search_.truncated = cut_[band] = true;
    search_.candidates += size - start;
    const uint32_t end = (size + BandBucket::kFoldsAWord - 1) / BandBucket::kFoldsAWord;
    for (uint32_t word = start / BandBucket::kFoldsAWord; word < end; word += FoldFilter::kWords) {
      // Copied word by word, as the writer may change them.
      uint64_t words[FoldFilter::kWords];
      uint64_t far[FoldFilter::kWords];
      for (uint32_t i = 0; i < FoldFilter::kWords; i++) words[i] = word + i < end ? bucket.folds[word + i].load(std::memory_order_relaxed) : filter_.away();
      if (filter_.AllFar(words, far)) continue;
      for (uint32_t i = 0; i < FoldFilter::kWords; i++)
        for (uint64_t near = far[i] ^ FoldFilter::kFar; near != 0; near &= near - 1) {
          const uint32_t place = (word + i) * BandBucket::kFoldsAWord + static_cast<uint32_t>(__builtin_ctzll(near)) / 16;
          if (place >= start && place < size) Consider(bucket.ordinal(place), band);
        }
    }
  }

  // Looks at the fingerprints of those that were put aside.
  KINDRED_POPCNT void Finish() {
    for (uint32_t i = 0; i < waiting_; i++) {
      const auto [ordinal, band] = candidates_[i];
      const uint64_t x = bands_.fingerprints_[ordinal].load(std::memory_order_acquire) ^ fingerprint_;
      if (__builtin_popcountll(x) > distance_ || BlockOf(band, x) != 0) continue;
      // Whoever agrees in an earlier band was found there, unless its bucket was cut.
      bool earlier = false;
      for (int b = 0; b < band; b++) earlier |= BlockOf(b, x) == 0 && !cut_[b];
      if (earlier || bands_.known_[ordinal].load(std::memory_order_acquire) == 0) continue;
      search_.found.push_back({ordinal, static_cast<uint8_t>(__builtin_popcountll(x))});
    }
    waiting_ = 0;
  }

 private:
  // Fingerprints are asked for long before they are compared, so that their cache misses overlap.
  static constexpr uint32_t kAhead = 64;

  void Consider(uint32_t ordinal, int band) {
    if (ordinal == BandBucket::kEmpty || ordinal == self_) return;
    __builtin_prefetch(&bands_.fingerprints_[ordinal]);
    candidates_[waiting_++] = {ordinal, band};
    if (waiting_ == kAhead) Finish();
  }

  const Bands& bands_;
  const uint64_t fingerprint_;
  const uint32_t self_;
  const int distance_;
  const FoldFilter filter_;
  Search& search_;
  bool cut_[kBands] = {};
  Candidate candidates_[kAhead];
  uint32_t waiting_ = 0;
};

Bands::Search Bands::Near(uint64_t fingerprint, uint32_t self, int distance, uint32_t users) const {
  Search search;
  if (distance > kBandDistance) {
    LookAtAll(fingerprint, self, distance, users, search);
    return search;
  }
  const uint64_t version = version_.load(std::memory_order_acquire);
  // All four buckets are asked for before the first is read, so that their cache misses overlap.
  const BandBucket* buckets[kBands];
  for (int band = 0; band < kBands; band++) __builtin_prefetch(&buckets_[NumberOf(band, fingerprint)]);
  for (int band = 0; band < kBands; band++) {
    buckets[band] = buckets_[NumberOf(band, fingerprint)].load(std::memory_order_acquire);
    for (int line = 0; line < 6; line++) __builtin_prefetch(reinterpret_cast<const char*>(buckets[band]) + 64 * line);
  }
  Look look(*this, fingerprint, self, distance, search);
  for (int band = 0; band < kBands; band++)
    if (buckets[band] != nullptr) look.Into(*buckets[band], band);
  look.Finish();
  // Someone who moved meanwhile, or who is near in a band that was cut, may have been found twice.
  const bool moved = version % 2 != 0 || version_.load(std::memory_order_acquire) != version;
  if (search.found.size() > 1 && (search.truncated || moved)) {
    OrdinalTable<uint8_t> seen(TableFor(search.found.size()));
    const auto again = [&seen](const NearFingerprint& near) { return seen[near.ordinal]++ != 0; };
    search.found.erase(std::remove_if(search.found.begin(), search.found.end(), again), search.found.end());
  }
  return search;
}

KINDRED_POPCNT void Bands::LookAtAll(uint64_t fingerprint, uint32_t self, int distance, uint32_t users, Search& search) const {
  for (uint32_t from = 0; from < users; from += Chunks<uint8_t>::kChunk) {
    const auto* fingerprints = fingerprints_.chunk(from / Chunks<uint8_t>::kChunk);
    const auto* known = known_.chunk(from / Chunks<uint8_t>::kChunk);
    const uint32_t n = std::min(Chunks<uint8_t>::kChunk, users - from);
    for (uint32_t i = 0; i < n; i++) {
      if (known[i].load(std::memory_order_acquire) == 0) continue;
      search.candidates++;
      const int differing = __builtin_popcountll(fingerprints[i].load(std::memory_order_acquire) ^ fingerprint);
      if (differing <= distance && from + i != self) search.found.push_back({from + i, static_cast<uint8_t>(differing)});
    }
  }
}

}  // namespace kindred::read_model
