#include "bands.h"

#include <algorithm>

namespace kindred::read_model {

namespace {

// A bucket grows by this part of what is in it: memory against copying.
constexpr uint32_t kGrowthPart = 8;
constexpr uint32_t kLeastEmpty = 16;
// Entries copied for each that is dropped, at most.
constexpr uint32_t kCopiesADrop = 16;
// Entries asked for before an old one is looked for among them; from there on the machine sees the row itself.
constexpr uint32_t kFetched = 128;

uint32_t CapacityFor(uint32_t live) { return live + live / kGrowthPart + 1; }

}  // namespace

Bands::Bands(EpochDomain& epochs, MemoryMeter& meter, uint32_t bucket_cap)
    : epochs_(epochs),
      meter_(meter),
      bucket_cap_(bucket_cap),
      buckets_(new std::atomic<BandBucket*>[kBands * kBuckets]()),
      counts_(new std::atomic<uint32_t>[kBands * kBuckets]()),
      fingerprints_(meter),
      known_(meter),
      places_(meter) {
  meter_.Add(kBands * kBuckets * (sizeof(BandBucket*) + sizeof(uint32_t)));
}

Bands::~Bands() {
  for (uint32_t b = 0; b < kBands * kBuckets; b++) FreeBlock(buckets_[b].load(std::memory_order_relaxed));
}

void Bands::Reach(uint32_t ordinal) {
  fingerprints_.Reach(ordinal);
  known_.Reach(ordinal);
}

bool Bands::Get(uint32_t ordinal, uint64_t* fingerprint) const {
  if (known_[ordinal].load(std::memory_order_acquire) == 0) return false;
  *fingerprint = fingerprints_[ordinal].load(std::memory_order_acquire);
  return true;
}

// The new entries are made before the fingerprint is, and the old ones dropped after it. In a band that stays the fold is
// overwritten first: to those who are near by such a band only the user has moved a moment earlier. The version is odd meanwhile.
void Bands::Set(uint32_t ordinal, uint64_t fingerprint) {
  uint64_t old = 0;
  const bool had = Get(ordinal, &old);
  if (had && old == fingerprint) return;
  version_.fetch_add(1, std::memory_order_acq_rel);
  FetchForSet(had ? &old : nullptr, fingerprint);
  bool moved[kBands];
  uint32_t before[kBands];
  for (int band = 0; band < kBands; band++) {
    moved[band] = !had || BlockOf(band, old) != BlockOf(band, fingerprint);
    if (had) before[band] = PlaceOf(band, old, ordinal);
    if (moved[band])
      Append(band, fingerprint, ordinal);
    else
      buckets_[NumberOf(band, fingerprint)].load(std::memory_order_relaxed)->SetFold(before[band], FoldOf(fingerprint));
  }
  fingerprints_[ordinal].store(fingerprint, std::memory_order_release);
  known_[ordinal].store(1, std::memory_order_release);
  version_.fetch_add(1, std::memory_order_acq_rel);
  if (!had) count_.fetch_add(1, std::memory_order_relaxed);
  for (int band = 0; had && band < kBands; band++)
    if (moved[band]) Drop(band, old, before[band]);
}

// Asks for the eight buckets together, so that their cache misses overlap: the ends of those appended to, the beginnings of
// those searched for the old entry.
void Bands::FetchForSet(const uint64_t* old, uint64_t fingerprint) const {
  const BandBucket* into[kBands];
  for (int band = 0; band < kBands; band++) {
    __builtin_prefetch(&buckets_[NumberOf(band, fingerprint)]);
    __builtin_prefetch(&counts_[NumberOf(band, fingerprint)]);
    if (old != nullptr) __builtin_prefetch(&buckets_[NumberOf(band, *old)]);
  }
  for (int band = 0; band < kBands; band++) {
    __builtin_prefetch(into[band] = buckets_[NumberOf(band, fingerprint)].load(std::memory_order_relaxed));
    if (old != nullptr) __builtin_prefetch(buckets_[NumberOf(band, *old)].load(std::memory_order_relaxed));
  }
  for (int band = 0; band < kBands; band++) {
    if (into[band] != nullptr) {
      const uint32_t end = into[band]->entries();
      __builtin_prefetch(&into[band]->folds[end / BandBucket::kFoldsAWord]);
      __builtin_prefetch(&into[band]->ordinals()[end]);
    }
    if (old == nullptr) continue;
    const BandBucket* from = buckets_[NumberOf(band, *old)].load(std::memory_order_relaxed);
    for (uint32_t at = 0; !from->places_kept() && at < from->capacity && at < kFetched; at += 16) __builtin_prefetch(&from->ordinals()[at]);
  }
}

void Bands::Clear(uint32_t ordinal) {
  uint64_t old = 0;
  if (!Get(ordinal, &old)) return;
  known_[ordinal].store(0, std::memory_order_release);
  count_.fetch_sub(1, std::memory_order_relaxed);
  for (int band = 0; band < kBands; band++) Drop(band, old, PlaceOf(band, old, ordinal));
}

void Bands::Append(int band, uint64_t fingerprint, uint32_t ordinal) {
  const uint32_t number = NumberOf(band, fingerprint);
  BandBucket* bucket = buckets_[number].load(std::memory_order_relaxed);
  if (bucket == nullptr || bucket->entries() == bucket->capacity) {
    Rewrite(band, number, CapacityFor(bucket == nullptr ? 0 : bucket->users()));
    bucket = buckets_[number].load(std::memory_order_relaxed);
  }
  const uint32_t place = bucket->entries();
  bucket->Put(place, ordinal, FoldOf(fingerprint));
  bucket->size.store(place + 1, std::memory_order_release);
  Count(number, bucket);
  if (bucket->places_kept()) Remember(band, ordinal, place);
}

void Bands::Remember(int band, uint32_t ordinal, uint32_t place) {
  places_.Reach(ordinal);
  places_[ordinal].at[band] = static_cast<uint16_t>(place);
}

uint32_t Bands::PlaceOf(int band, uint64_t fingerprint, uint32_t ordinal) const {
  const BandBucket* bucket = buckets_[NumberOf(band, fingerprint)].load(std::memory_order_relaxed);
  return bucket->places_kept() ? bucket->PlaceOf(ordinal, places_[ordinal].at[band]) : bucket->PlaceOf(ordinal);
}

// Half of a bucket; of a hot one no more than a search looks at anyway, unless that would mean to copy it all the time.
uint32_t Bands::EmptyAllowed(uint32_t entries) const { return std::min(entries / 2, std::max(bucket_cap_, entries / kCopiesADrop)); }

void Bands::Drop(int band, uint64_t fingerprint, uint32_t place) {
  const uint32_t number = NumberOf(band, fingerprint);
  BandBucket* bucket = buckets_[number].load(std::memory_order_relaxed);
  bucket->Clear(place);
  stale_.fetch_add(1, std::memory_order_relaxed);
  Count(number, bucket);
  const uint32_t empty = bucket->empty.load(std::memory_order_relaxed);
  if (bucket->users() == 0)
    Replace(number, nullptr);
  else if (empty >= kLeastEmpty && empty > EmptyAllowed(bucket->entries()))
    Rewrite(band, number, CapacityFor(bucket->users()));
}

// A copy without the empty entries.
void Bands::Rewrite(int band, uint32_t number, uint32_t capacity) {
  const BandBucket* old = buckets_[number].load(std::memory_order_relaxed);
  BandBucket* fresh = BandBucket::New(meter_, capacity);
  uint32_t kept = 0;
  const uint32_t size = old == nullptr ? 0 : old->entries();
  for (uint32_t i = 0; i < size; i++) {
    const uint32_t ordinal = old->ordinal(i);
    if (ordinal == BandBucket::kEmpty) continue;
    if (fresh->places_kept() && (kept != i || !old->places_kept())) Remember(band, ordinal, kept);
    fresh->Put(kept++, ordinal, old->fold(i));
  }
  fresh->size.store(kept, std::memory_order_relaxed);
  Replace(number, fresh);
}

// Readers of the old one go on undisturbed.
void Bands::Replace(uint32_t number, BandBucket* fresh) {
  BandBucket* old = buckets_[number].load(std::memory_order_relaxed);
  if (old != nullptr) stale_.fetch_sub(old->empty.load(std::memory_order_relaxed), std::memory_order_relaxed);
  buckets_[number].store(fresh, std::memory_order_release);
  Count(number, fresh);
  RetireBlock(epochs_, old);
}

Bands::Stats Bands::stats() const {
  Stats stats{count_.load(std::memory_order_relaxed), stale_.load(std::memory_order_relaxed), 0, 0};
  for (uint32_t b = 0; b < kBands * kBuckets; b++) {
    const uint32_t users = counts_[b].load(std::memory_order_relaxed);
    stats.largest_bucket = std::max(stats.largest_bucket, users);
    if (users > bucket_cap_) stats.buckets_over_cap++;
  }
  return stats;
}

}  // namespace kindred::read_model
