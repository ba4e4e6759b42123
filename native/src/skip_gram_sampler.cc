#include "skip_gram_sampler.h"

#include <algorithm>

#include "coded_error.h"

namespace kindred::skip_gram {

void MakeAliases(const float* weights, uint32_t count, float* share, uint32_t* alias) {
  double total = 0;
  for (uint32_t i = 0; i < count; i++) total += weights[i];
  std::vector<double> scaled(count);
  std::vector<uint32_t> small, large;
  for (uint32_t i = 0; i < count; i++) {
    scaled[i] = weights[i] * static_cast<double>(count) / total;
    alias[i] = i;
    (scaled[i] < 1 ? small : large).push_back(i);
  }
  while (!small.empty() && !large.empty()) {
    const uint32_t low = small.back(), high = large.back();
    small.pop_back();
    share[low] = static_cast<float>(scaled[low]);
    alias[low] = high;
    scaled[high] -= 1 - scaled[low];
    if (scaled[high] < 1) {
      large.pop_back();
      small.push_back(high);
    }
  }
}

AliasTable::AliasTable(std::vector<uint32_t> ids, const std::vector<float>& weights) : ids_(std::move(ids)), alias_(ids_.size()), share_(ids_.size(), 1.f) {
  std::vector<float> own;
  own.reserve(ids_.size());
  for (const uint32_t id : ids_) own.push_back(weights[id]);
  MakeAliases(own.data(), static_cast<uint32_t>(own.size()), share_.data(), alias_.data());
}

Sampler::Sampler(const std::vector<float>& weights, const std::vector<uint32_t>& strata) : strata_(strata) {
  const uint32_t count = strata.empty() ? 0 : *std::max_element(strata.begin(), strata.end()) + 1;
  std::vector<std::vector<uint32_t>> members(count);
  std::vector<uint32_t> all;
  for (uint32_t item = 0; item < weights.size(); item++)
    if (weights[item] > 0) {
      all.push_back(item);
      members[strata[item]].push_back(item);
    }
  if (all.empty()) RefuseArgument("no item may be drawn as a negative");
  all_ = AliasTable(std::move(all), weights);
  for (auto& of : members) by_stratum_.push_back(of.empty() ? AliasTable() : AliasTable(std::move(of), weights));
}

}  // namespace kindred::skip_gram
