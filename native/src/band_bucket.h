// One bucket of the fingerprint bands: who has certain 16 bits in a block, and of each 16 bits that tell most of them apart.
#pragma once
#include "read_model_memory.h"

namespace kindred::read_model {

// The four blocks of a fingerprint by exclusive or. Two folds differ in no more bits than their fingerprints do, so who is
// far by the fold is far; only who is near by it costs a look at the fingerprint, which is a cache miss.
inline uint16_t FoldOf(uint64_t fingerprint) {
  const uint64_t halves = fingerprint ^ (fingerprint >> 32);
  return static_cast<uint16_t>(halves ^ (halves >> 16));
}

// Entries are appended, so the newest are last; one that left is overwritten with kEmpty. Folds come first, four to a word,
// then ordinals.
struct BandBucket : Block {
  static constexpr uint32_t kEmpty = UINT32_MAX;
  static constexpr uint32_t kFoldsAWord = 4;
  // Up to this capacity an entry is looked for; in larger ones its place is remembered. Places lie all over memory: to look
  // through 8 kB in a row costs less than to keep them right while small buckets are rewritten.
  static constexpr uint32_t kSearched = 2048;

  uint32_t capacity;  // a multiple of kFoldsAWord
  std::atomic<uint32_t> empty;
  std::atomic<uint32_t> size;
  std::atomic<uint64_t> folds[1];

  static BandBucket* New(MemoryMeter& meter, uint32_t wanted) {
    const uint32_t capacity = (wanted + kFoldsAWord - 1) / kFoldsAWord * kFoldsAWord;
    BandBucket* bucket = AllocateBlock<BandBucket>(meter, sizeof(BandBucket) + size_t{capacity} * (sizeof(uint16_t) + sizeof(uint32_t)));
    bucket->capacity = capacity;
    return bucket;
  }

  std::atomic<uint32_t>* ordinals() { return reinterpret_cast<std::atomic<uint32_t>*>(folds + capacity / kFoldsAWord); }
  const std::atomic<uint32_t>* ordinals() const { return reinterpret_cast<const std::atomic<uint32_t>*>(folds + capacity / kFoldsAWord); }
  uint32_t ordinal(uint32_t place) const { return ordinals()[place].load(std::memory_order_relaxed); }
  uint16_t fold(uint32_t place) const {
    return static_cast<uint16_t>(folds[place / kFoldsAWord].load(std::memory_order_relaxed) >> (place % kFoldsAWord * 16));
  }

  uint32_t entries() const { return size.load(std::memory_order_acquire); }
  uint32_t users() const { return size.load(std::memory_order_relaxed) - empty.load(std::memory_order_relaxed); }
  // Where a search begins that looks at no more than `cap` users who came last: empty entries may lie among theirs.
  uint32_t StartFor(uint32_t cap, uint32_t entries) const {
    const uint64_t looked_at = uint64_t{cap} + empty.load(std::memory_order_relaxed);
    return entries > looked_at ? static_cast<uint32_t>(entries - looked_at) : 0;
  }

  bool places_kept() const { return capacity > kSearched; }

  // For the writer.
  uint32_t PlaceOf(uint32_t ordinal) const {
    // Read as plain numbers, so that the compiler compares many at once: nobody else writes them.
    static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t), "an atomic number is a number");
    const auto* plain = reinterpret_cast<const uint32_t*>(ordinals());
    constexpr uint32_t kAtOnce = 16;
    uint32_t from = 0;
    for (; from + kAtOnce <= capacity; from += kAtOnce) {
      uint32_t here = 0;
      for (uint32_t i = 0; i < kAtOnce; i++) here |= plain[from + i] == ordinal ? 1u : 0u;
      if (here != 0) break;
    }
    while (plain[from] != ordinal) from++;
    return from;
  }
  // In a larger bucket: a user is in it once, so the first of the possible places that holds it is the one.
  uint32_t PlaceOf(uint32_t ordinal, uint16_t remembered) const {
    uint32_t place = remembered;
    while (this->ordinal(place) != ordinal) place += 1u << 16;
    return place;
  }
  void SetFold(uint32_t place, uint16_t fold) {
    std::atomic<uint64_t>& word = folds[place / kFoldsAWord];
    const uint32_t shift = place % kFoldsAWord * 16;
    word.store((word.load(std::memory_order_relaxed) & ~(uint64_t{0xffff} << shift)) | uint64_t{fold} << shift, std::memory_order_relaxed);
  }
  void Clear(uint32_t place) {
    ordinals()[place].store(kEmpty, std::memory_order_relaxed);
    empty.store(empty.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void Put(uint32_t place, uint32_t ordinal, uint16_t fold) {
    SetFold(place, fold);
    ordinals()[place].store(ordinal, std::memory_order_relaxed);
  }
};

}  // namespace kindred::read_model
