#include "bands.h"

#include <algorithm>

namespace kindred::read_model {

namespace {

// The compiler's own popcount is a table look-up unless told to use the instruction, so both are built and the
// machine chooses. (ThreadSanitizer cannot start with such functions.)
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define KINDRED_POPCNT __attribute__((target_clones("popcnt", "default")))
#else
#define KINDRED_POPCNT
#endif

constexpr uint32_t kBatch = 16;
// Fingerprints of each bucket that are asked for before any is compared.
constexpr uint32_t kAhead = 32;

}  // namespace

Bands::Bands(EpochDomain& epochs, MemoryMeter& meter, uint32_t bucket_cap)
    : epochs_(epochs),
      meter_(meter),
      bucket_cap_(bucket_cap),
      buckets_(new std::atomic<Bucket*>[kBands * kBuckets]()),
      fingerprints_(meter),
      known_(meter),
      places_(meter) {
  meter_.Add(kBands * kBuckets * sizeof(Bucket*));
}

Bands::~Bands() {
  for (uint32_t b = 0; b < kBands * kBuckets; b++) FreeBlock(buckets_[b].load(std::memory_order_relaxed));
}

void Bands::Reach(uint32_t ordinal) {
  fingerprints_.Reach(ordinal);
  known_.Reach(ordinal);
  places_.Reach(ordinal);
}

bool Bands::Get(uint32_t ordinal, uint64_t* fingerprint) const {
  if (known_[ordinal].load(std::memory_order_acquire) == 0) return false;
  *fingerprint = fingerprints_[ordinal].load(std::memory_order_acquire);
  return true;
}

// The new entries are made before the fingerprint is, and the old ones dropped after it: at every moment the user can
// be found by the fingerprint that a reader sees.
void Bands::Set(uint32_t ordinal, uint64_t fingerprint) {
  uint64_t old = 0;
  const bool had = Get(ordinal, &old);
  if (had && old == fingerprint) return;
  version_.fetch_add(1, std::memory_order_acq_rel);
  const Places before = places_[ordinal];
  bool moved[kBands];
  for (int band = 0; band < kBands; band++) {
    moved[band] = !had || BlockOf(band, old) != BlockOf(band, fingerprint);
    if (moved[band]) Append(band, fingerprint, ordinal);
  }
  fingerprints_[ordinal].store(fingerprint, std::memory_order_release);
  known_[ordinal].store(1, std::memory_order_release);
  if (!had) count_.fetch_add(1, std::memory_order_relaxed);
  for (int band = 0; had && band < kBands; band++)
    if (moved[band]) Drop(band, old, before.at[band]);
}

void Bands::Clear(uint32_t ordinal) {
  uint64_t old = 0;
  if (!Get(ordinal, &old)) return;
  known_[ordinal].store(0, std::memory_order_release);
  count_.fetch_sub(1, std::memory_order_relaxed);
  for (int band = 0; band < kBands; band++) Drop(band, old, places_[ordinal].at[band]);
}

void Bands::Append(int band, uint64_t fingerprint, uint32_t ordinal) {
  std::atomic<Bucket*>& slot = BucketOf(band, fingerprint);
  Bucket* bucket = slot.load(std::memory_order_relaxed);
  if (bucket == nullptr || bucket->size.load(std::memory_order_relaxed) == bucket->capacity) {
    const uint32_t live = bucket == nullptr ? 0 : bucket->capacity - bucket->empty;
    Rewrite(band, slot, std::max(4u, live + live / 2 + 1));
    bucket = slot.load(std::memory_order_relaxed);
  }
  const uint32_t place = bucket->size.load(std::memory_order_relaxed);
  bucket->entries[place].store(ordinal, std::memory_order_relaxed);
  bucket->size.store(place + 1, std::memory_order_release);
  places_[ordinal].at[band] = place;
}

void Bands::Drop(int band, uint64_t fingerprint, uint32_t place) {
  std::atomic<Bucket*>& slot = BucketOf(band, fingerprint);
  Bucket* bucket = slot.load(std::memory_order_relaxed);
  bucket->entries[place].store(kEmpty, std::memory_order_relaxed);
  bucket->empty++;
  stale_.fetch_add(1, std::memory_order_relaxed);
  const uint32_t size = bucket->size.load(std::memory_order_relaxed);
  if (bucket->empty == size) {
    stale_.fetch_sub(bucket->empty, std::memory_order_relaxed);
    slot.store(nullptr, std::memory_order_release);
    RetireBlock(epochs_, bucket);
  } else if (bucket->empty >= 16 && bucket->empty * 2 > size) {
    const uint32_t live = size - bucket->empty;
    Rewrite(band, slot, live + live / 2 + 1);
  }
}

// Publishes a copy without the empty entries; readers of the old one go on undisturbed.
void Bands::Rewrite(int band, std::atomic<Bucket*>& slot, uint32_t capacity) {
  Bucket* old = slot.load(std::memory_order_relaxed);
  Bucket* fresh = AllocateBlock<Bucket>(meter_, sizeof(Bucket) + capacity * sizeof(std::atomic<uint32_t>));
  fresh->capacity = capacity;
  uint32_t kept = 0;
  const uint32_t size = old == nullptr ? 0 : old->size.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < size; i++) {
    const uint32_t ordinal = old->entries[i].load(std::memory_order_relaxed);
    if (ordinal == kEmpty) continue;
    places_[ordinal].at[band] = kept;
    fresh->entries[kept++].store(ordinal, std::memory_order_relaxed);
  }
  if (old != nullptr) stale_.fetch_sub(old->empty, std::memory_order_relaxed);
  fresh->size.store(kept, std::memory_order_relaxed);
  slot.store(fresh, std::memory_order_release);
  RetireBlock(epochs_, old);
}

uint64_t Bands::Entries(uint64_t fingerprint) const {
  uint64_t entries = 0;
  for (int band = 0; band < kBands; band++) {
    const Bucket* bucket = BucketOf(band, fingerprint).load(std::memory_order_acquire);
    if (bucket != nullptr) entries += std::min(bucket_cap_, bucket->size.load(std::memory_order_acquire));
  }
  return entries;
}

Bands::Search Bands::Near(uint64_t fingerprint, uint32_t self, int distance, uint32_t users) const {
  Search search;
  if (distance > kBandDistance) {
    LookAtAll(fingerprint, self, distance, users, search);
    return search;
  }
  const uint64_t version = version_.load(std::memory_order_acquire);
  // All four buckets are asked for before the first is read, so that their cache misses overlap.
  const Bucket* buckets[kBands];
  for (int band = 0; band < kBands; band++) __builtin_prefetch(&BucketOf(band, fingerprint));
  for (int band = 0; band < kBands; band++) {
    buckets[band] = BucketOf(band, fingerprint).load(std::memory_order_acquire);
    for (int line = 0; line < 2; line++) __builtin_prefetch(reinterpret_cast<const char*>(buckets[band]) + 64 * line);
  }
  for (const Bucket* bucket : buckets) {
    if (bucket == nullptr) continue;
    const uint32_t size = bucket->size.load(std::memory_order_acquire);
    for (uint32_t i = 0; i < size && i < kAhead; i++) {
      const uint32_t ordinal = bucket->entries[i].load(std::memory_order_relaxed);
      if (ordinal != kEmpty) __builtin_prefetch(&fingerprints_[ordinal]);
    }
  }
  for (int band = 0; band < kBands; band++)
    if (buckets[band] != nullptr) LookInto(*buckets[band], band, fingerprint, self, distance, search);
  // Someone who moved meanwhile may have been found in two bands.
  if (search.found.size() > 1 && version_.load(std::memory_order_acquire) != version) {
    auto& found = search.found;
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.ordinal < b.ordinal; });
    found.erase(std::unique(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.ordinal == b.ordinal; }), found.end());
  }
  return search;
}

KINDRED_POPCNT void Bands::LookInto(const Bucket& bucket, int band, uint64_t fingerprint, uint32_t self, int distance, Search& search) const {
  const uint32_t size = bucket.size.load(std::memory_order_acquire);
  const uint32_t start = size > bucket_cap_ ? size - bucket_cap_ : 0;
  if (start > 0) search.truncated = true;
  search.candidates += size - start;
  for (uint32_t from = start; from < size; from += kBatch) {
    // A batch's fingerprints are asked for together, so that their cache misses overlap.
    uint32_t ordinals[kBatch];
    uint64_t differing[kBatch];
    const uint32_t n = std::min(kBatch, size - from);
    for (uint32_t i = 0; i < n; i++) {
      ordinals[i] = bucket.entries[from + i].load(std::memory_order_relaxed);
      differing[i] = ordinals[i] == kEmpty ? UINT64_MAX : fingerprints_[ordinals[i]].load(std::memory_order_acquire) ^ fingerprint;
    }
    for (uint32_t i = 0; i < n; i++) {
      const uint64_t x = differing[i];
      if (__builtin_popcountll(x) > distance || ordinals[i] == self || BlockOf(band, x) != 0) continue;
      // Whoever agrees in an earlier band was found there.
      bool earlier = false;
      for (int b = 0; b < band; b++) earlier |= BlockOf(b, x) == 0;
      if (earlier || known_[ordinals[i]].load(std::memory_order_acquire) == 0) continue;
      search.found.push_back({ordinals[i], static_cast<uint8_t>(__builtin_popcountll(x))});
    }
  }
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

Bands::Stats Bands::stats() const {
  Stats stats{count_.load(std::memory_order_relaxed), stale_.load(std::memory_order_relaxed), 0, 0};
  for (uint32_t b = 0; b < kBands * kBuckets; b++) {
    const Bucket* bucket = buckets_[b].load(std::memory_order_acquire);
    if (bucket == nullptr) continue;
    const uint32_t size = bucket->size.load(std::memory_order_acquire);
    stats.largest_bucket = std::max(stats.largest_bucket, size);
    if (size > bucket_cap_) stats.buckets_over_cap++;
  }
  return stats;
}

}  // namespace kindred::read_model
