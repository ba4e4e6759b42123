// Fingerprints by four bands of 16 bits. Two fingerprints that differ in at most three bits agree in at least one band
// (pigeonhole), so a query looks into four buckets and checks each candidate's current fingerprint.
// Manku, Jain, Das Sarma 2007, "Detecting near-duplicates for web crawling", section 3.
#pragma once
#include <vector>

#include "band_bucket.h"

namespace kindred::read_model {

struct NearFingerprint {
  uint32_t ordinal;
  uint8_t distance;
};

class Bands {
 public:
  static constexpr int kBands = 4;
  // Up to this distance the bands find every fingerprint.
  static constexpr int kBandDistance = kBands - 1;

  struct Stats {
    uint32_t fingerprints;
    uint32_t stale_entries;
    uint32_t largest_bucket;  // users
    uint32_t buckets_over_cap;
  };

  Bands(EpochDomain& epochs, MemoryMeter& meter, uint32_t bucket_cap);
  ~Bands();
  Bands(const Bands&) = delete;

  // For the writer.
  void Reach(uint32_t ordinal);
  void Set(uint32_t ordinal, uint64_t fingerprint);
  void Clear(uint32_t ordinal);

  // For readers, inside an EpochGuard. False where the ordinal has none.
  bool Get(uint32_t ordinal, uint64_t* fingerprint) const;
  struct Search {
    std::vector<NearFingerprint> found;  // in no order, each ordinal once
    uint64_t candidates = 0;
    bool truncated = false;
  };
  // Everyone within `distance` but `self`; by the bands to kBandDistance, above by looking at all `users`.
  Search Near(uint64_t fingerprint, uint32_t self, int distance, uint32_t users) const;
  // Entries that a search by the bands would look at: what it costs.
  uint64_t Entries(uint64_t fingerprint) const;
  Stats stats() const;

 private:
  static constexpr uint32_t kBuckets = 1u << 16;

  // Where a user's entries are in large buckets, the writer's alone: the place modulo 2^16, the rest is tried.
  struct Places {
    uint16_t at[kBands];
  };
  struct Candidate {
    uint32_t ordinal;
    int band;
  };
  class Look;

  static uint32_t BlockOf(int band, uint64_t fingerprint) { return static_cast<uint32_t>(fingerprint >> (16 * band)) & 0xffff; }
  static uint32_t NumberOf(int band, uint64_t fingerprint) { return static_cast<uint32_t>(band) * kBuckets + BlockOf(band, fingerprint); }
  void FetchForSet(const uint64_t* old, uint64_t fingerprint) const;
  void Append(int band, uint64_t fingerprint, uint32_t ordinal);
  void Drop(int band, uint64_t fingerprint, uint32_t place);
  void Rewrite(int band, uint32_t number, uint32_t capacity);
  void Replace(uint32_t number, BandBucket* fresh);
  void Count(uint32_t number, const BandBucket* bucket) { counts_[number].store(bucket == nullptr ? 0 : bucket->users(), std::memory_order_relaxed); }
  uint32_t EmptyAllowed(uint32_t entries) const;
  void Remember(int band, uint32_t ordinal, uint32_t place);
  uint32_t PlaceOf(int band, uint64_t fingerprint, uint32_t ordinal) const;
  void LookAtAll(uint64_t fingerprint, uint32_t self, int distance, uint32_t users, Search& search) const;

  EpochDomain& epochs_;
  MemoryMeter& meter_;
  const uint32_t bucket_cap_;
  std::unique_ptr<std::atomic<BandBucket*>[]> buckets_;
  // Users of each bucket once more, close together, so that metering does not go through all buckets.
  std::unique_ptr<std::atomic<uint32_t>[]> counts_;
  Chunks<std::atomic<uint64_t>> fingerprints_;
  Chunks<std::atomic<uint8_t>> known_;
  Chunks<Places> places_;
  // Counts the fingerprints that changed.
  std::atomic<uint64_t> version_{0};
  std::atomic<uint32_t> count_{0};
  std::atomic<uint32_t> stale_{0};
};

}  // namespace kindred::read_model
