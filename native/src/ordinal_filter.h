// Allow and deny lists of one search, as bitmaps that each thread uses again and again.
#pragma once
#include <cstdint>
#include <vector>

namespace kindred {

// A set of ordinals. Clearing costs as much as what was set, not as much as the largest ordinal.
class OrdinalBits {
 public:
  // Ordinals from `limit` on are left out: nobody has them.
  void Set(const uint32_t* ordinals, size_t count, uint32_t limit) {
    Clear();
    if (bits_.size() * 64 < limit) bits_.resize((size_t{limit} + 63) / 64);
    for (size_t i = 0; i < count; i++)
      if (ordinals[i] < limit) Add(ordinals[i]);
  }
  void Add(uint32_t ordinal) {
    if (bits_.size() <= ordinal >> 6) bits_.resize((ordinal >> 6) + 1);
    uint64_t& word = bits_[ordinal >> 6];
    const uint64_t bit = uint64_t{1} << (ordinal & 63);
    if (word & bit) return;
    // First what may fail: a bit that no member stands for would outlive every Clear.
    members_.push_back(ordinal);
    word |= bit;
  }
  void Clear() {
    for (uint32_t ordinal : members_) bits_[ordinal >> 6] = 0;
    members_.clear();
  }
  bool Has(uint32_t ordinal) const { return (ordinal >> 6) < bits_.size() && (bits_[ordinal >> 6] >> (ordinal & 63) & 1); }
  // Each once, in the order given.
  const std::vector<uint32_t>& members() const { return members_; }

 private:
  std::vector<uint64_t> bits_;
  std::vector<uint32_t> members_;
};

struct OrdinalFilter {
  const OrdinalBits* exclude = nullptr;
  const OrdinalBits* allow = nullptr;
  bool Passes(uint32_t ordinal) const {
    return (exclude == nullptr || !exclude->Has(ordinal)) && (allow == nullptr || allow->Has(ordinal));
  }
};

}  // namespace kindred
