// The longest rows of a shard under inner product, longest first. No row scores above |query| * its own length, so a scan in
// this order is complete as soon as the next row cannot enter any more (Teflioudi, Gemulla, Mykytiuk, "LEMP: fast retrieval of
// large entries in a matrix product", SIGMOD 2015). Output vectors of items are that uneven: what is popular is long, and nearly
// all answers are among the longest few percent, where a graph by inner product finds its way badly.
#pragma once
#include <cstdint>
#include <vector>

#include "exact_scan.h"

namespace kindred {

class LengthOrder {
 public:
  enum class End { kComplete, kExhausted, kDeadline };

  LengthOrder() = default;
  // Of `rows` (one of `stride` floats for each ordinal); ordinals from `none` on have no row. The longest `share` is scanned by
  // every search, some times as many where that makes the answer complete.
  LengthOrder(const std::vector<uint32_t>& ordinals, const float* rows, uint32_t stride, uint32_t none, float share);

  bool empty() const { return ordinals_.empty(); }
  // Scores the vectors of now into `top`. kComplete: no other row of the build could enter, by the lengths it had then (who grew in
  // place by less than the drift limit may be missed until the next build: items of a model do not move);
  // kExhausted: others may, and a walk with this `ef` is the cheaper way to them. Inside the caller's EpochGuard.
  End Scan(const VectorTable& table, const float* query, uint32_t ef, const OrdinalFilter& filter, const Deadline& deadline, TopK& top) const;
  size_t MemoryBytes() const { return (ordinals_.size() + lengths_.size()) * 4; }

 private:
  std::vector<uint32_t> ordinals_;
  std::vector<float> lengths_;
  size_t always_ = 0;
  // Of the longest row that is not kept.
  float rest_ = 0;
};

// Offers what `top` does not hold yet: two searches of the same rows come together.
void MergeDistinct(TopK& top, const TopK& found);

}  // namespace kindred
