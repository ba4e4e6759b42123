// Whom a step is to push away: random items by weight, over all or within one stratum, in constant time (Walker's alias method
// as Vose has it, "A linear algorithm for generating random numbers with a given distribution", IEEE TSE 17, 1991).
#pragma once
#include <cstdint>
#include <vector>

namespace kindred::skip_gram {

// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a few cycles a number, and any seed is a good one.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  // 0..n-1
  uint32_t Below(uint32_t n) { return static_cast<uint32_t>((static_cast<unsigned __int128>(Next()) * n) >> 64); }
  // [0, 1)
  float Share() { return static_cast<float>(Next() >> 40) * 0x1p-24f; }

 private:
  uint64_t state_;
};

// A generator of its own for each (seed, epoch, number): what a user gets depends on neither threads nor where training was stopped.
inline Random RandomOf(uint32_t seed, uint32_t epoch, uint64_t number) {
  Random mix((uint64_t{seed} << 32) | epoch);
  const uint64_t first = mix.Next();
  return Random(Random(first ^ (number * 0xd1342543de82ef95ull)).Next());
}

// Fills `share` (1 before) and `alias`: number i drawn evenly stands with this probability for itself, else for alias[i].
void MakeAliases(const float* weights, uint32_t count, float* share, uint32_t* alias);

class AliasTable {
 public:
  AliasTable() = default;
  // Weights of which at least one is above 0; item i of the table stands for ids[i].
  AliasTable(std::vector<uint32_t> ids, const std::vector<float>& weights);
  bool empty() const { return ids_.empty(); }
  uint32_t Draw(Random& random) const {
    const uint32_t at = random.Below(static_cast<uint32_t>(ids_.size()));
    return ids_[random.Share() < share_[at] ? at : alias_[at]];
  }

 private:
  std::vector<uint32_t> ids_, alias_;
  std::vector<float> share_;
};

class Sampler {
 public:
  // By item: weight (0: never drawn) and stratum.
  Sampler(const std::vector<float>& weights, const std::vector<uint32_t>& strata);
  uint32_t Any(Random& random) const { return all_.Draw(random); }
  // Of the stratum of `item`; where that has nobody to draw, of all.
  uint32_t Like(uint32_t item, Random& random) const {
    const AliasTable& own = by_stratum_[strata_[item]];
    return (own.empty() ? all_ : own).Draw(random);
  }

 private:
  AliasTable all_;
  std::vector<AliasTable> by_stratum_;
  std::vector<uint32_t> strata_;
};

}  // namespace kindred::skip_gram
