// Which of many 16-bit folds are near one: four in a word at once, a block of words by whatever vectors the machine has.
#pragma once
#include <cstdint>

namespace kindred::read_model {

struct FoldFilter {
  static constexpr uint32_t kWords = 16;
  static constexpr uint64_t kFar = 0x8000'8000'8000'8000u;

  // `distance` below 16.
  FoldFilter(uint16_t fold, int distance);
  // far[i] gets the highest bit of each of the word's four folds that is farther. True where all of them are.
  bool AllFar(const uint64_t (&words)[kWords], uint64_t (&far)[kWords]) const;
  // A word of which all four are far.
  uint64_t away() const { return ~folds_; }

 private:
  const uint64_t folds_;
  const uint64_t excess_;
};

}  // namespace kindred::read_model
