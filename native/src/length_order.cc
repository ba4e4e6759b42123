#include "length_order.h"

#include <algorithm>
#include <cmath>

namespace kindred {

namespace {

// So many times the share that is always scanned are kept.
constexpr double kKept = 4;
// A walk scores some so many rows for each unit of ef: a scan that ends sooner goes on.
constexpr size_t kRowsPerEf = 32;
// The bound is looked at each so many rows.
constexpr size_t kRowsPerBound = 256;
// For what lengths and scores are rounded to.
constexpr float kSlack = 1.0001f;

float LengthOf(const float* row, uint32_t dims) {
  double norm = 0;
  for (uint32_t d = 0; d < dims; d++) norm += static_cast<double>(row[d]) * row[d];
  return static_cast<float>(std::sqrt(norm));
}

}  // namespace

LengthOrder::LengthOrder(const std::vector<uint32_t>& ordinals, const float* rows, uint32_t stride, uint32_t none, float share) {
  std::vector<std::pair<float, uint32_t>> all;
  all.reserve(ordinals.size());
  for (size_t i = 0; i < ordinals.size(); i++)
    if (ordinals[i] < none) all.emplace_back(LengthOf(rows + i * stride, stride), ordinals[i]);
  const auto longer = [](const auto& a, const auto& b) { return a.first > b.first || (a.first == b.first && a.second < b.second); };
  const double always = static_cast<double>(share) * static_cast<double>(all.size());
  always_ = std::min(all.size(), static_cast<size_t>(std::ceil(always)));
  const size_t kept = std::min(all.size(), static_cast<size_t>(std::ceil(kKept * always)));
  if (kept < all.size()) {
    std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept), all.end(), longer);
    rest_ = all[kept].first;
    all.resize(kept);
  }
  std::sort(all.begin(), all.end(), longer);
  ordinals_.reserve(kept);
  lengths_.reserve(kept);
  for (const auto& [length, ordinal] : all) {
    lengths_.push_back(length);
    ordinals_.push_back(ordinal);
  }
}

LengthOrder::End LengthOrder::Scan(const VectorTable& table, const float* query, uint32_t ef, const OrdinalFilter& filter, const Deadline& deadline, TopK& top) const {
  const float reach = LengthOf(query, table.padded_dims()) * kSlack;
  const auto out_of_reach = [&](float length) { return !top.Accepts(reach * length); };
  for (size_t at = 0; at < ordinals_.size(); at += kRowsPerBound) {
    if (out_of_reach(lengths_[at])) return End::kComplete;
    if (at >= always_ && top.full()) {
      const auto from = lengths_.begin() + static_cast<std::ptrdiff_t>(at);
      const auto end = std::partition_point(from, lengths_.end(), [&](float length) { return !out_of_reach(length); });
      if (static_cast<size_t>(end - from) > kRowsPerEf * ef) return End::kExhausted;
    }
    const size_t count = std::min(kRowsPerBound, ordinals_.size() - at);
    if (!ScanList(table, {query, 1}, &ordinals_[at], count, filter, deadline, &top)) return End::kDeadline;
  }
  return out_of_reach(rest_) ? End::kComplete : End::kExhausted;
}

void MergeDistinct(TopK& top, const TopK& found) {
  std::vector<uint32_t> held;
  held.reserve(top.size());
  for (const Scored& one : top.held()) held.push_back(one.ordinal);
  std::sort(held.begin(), held.end());
  for (const Scored& one : found.held())
    if (!std::binary_search(held.begin(), held.end(), one.ordinal)) top.Offer(one);
}

}  // namespace kindred
