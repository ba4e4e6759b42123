// The questions of recall but co-occurrence.
#include <algorithm>

#include "ordinal_table.h"
#include "read_model.h"

namespace kindred::read_model {

namespace {

struct Contribution {
  double sum = 0;
  double best = 0;
  uint32_t via = 0;
  bool known = false;
};

// The `limit` best by `before`, in order.
template <typename T, typename Before>
void KeepBest(std::vector<T>& all, size_t limit, Before before) {
  if (all.size() > limit) {
    std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(limit), all.end(), before);
    all.resize(limit);
  }
  std::sort(all.begin(), all.end(), before);
}

// Drops who is farther than the nearest `limit` for certain, before ids are looked at.
void DropFarther(std::vector<NearFingerprint>& found, size_t limit) {
  size_t at[65] = {};
  for (const NearFingerprint& near : found) at[near.distance]++;
  uint8_t last = 0;
  for (size_t within = at[0]; within < limit && last < 64; within += at[last]) last++;
  found.erase(std::remove_if(found.begin(), found.end(), [last](const NearFingerprint& near) { return near.distance > last; }), found.end());
}

// Higher scores first, ties by id (an item's never goes).
struct Better {
  const IdTable& items;
  bool operator()(const std::pair<uint32_t, float>& a, const std::pair<uint32_t, float>& b) const {
    if (a.second != b.second) return a.second > b.second;
    return CompareIds(items.Id(a.first), items.Id(b.first)) < 0;
  }
};

}  // namespace

Ranked ReadModel::Rank(std::vector<std::pair<uint32_t, float>>& scored, uint32_t limit) const {
  scored.erase(std::remove_if(scored.begin(), scored.end(), [](const auto& s) { return !(s.second > 0); }), scored.end());
  KeepBest(scored, limit, Better{items_});
  Ranked ranked;
  for (const auto& [item, score] : scored) {
    ranked.ordinals.push_back(item);
    ranked.scores.push_back(score);
  }
  return ranked;
}

Bands::Search ReadModel::NearFingerprints(uint32_t user, int distance, uint32_t limit) {
  const EpochGuard guard(epochs_);
  CheckUsers(&user, 1);
  uint64_t fingerprint = 0;
  if (!bands_.Get(user, &fingerprint)) return {};
  Bands::Search search = bands_.Near(fingerprint, user, distance, users_.size());
  DropFarther(search.found, limit);
  // The ids are read once: one that is erased meanwhile must not change its place while they are sorted.
  std::vector<std::pair<NearFingerprint, std::string_view>> named;
  named.reserve(search.found.size());
  for (const NearFingerprint& near : search.found) named.emplace_back(near, users_.Id(near.ordinal));
  KeepBest(named, limit, [](const auto& a, const auto& b) {
    if (a.first.distance != b.first.distance) return a.first.distance < b.first.distance;
    return CompareIds(a.second, b.second) < 0;
  });
  search.found.clear();
  for (const auto& [near, id] : named)
    if (!id.empty()) search.found.push_back(near);
  return search;
}

Ranked ReadModel::ItemsOfNeighbors(const std::vector<uint32_t>& neighbors, const std::vector<float>& scores, const std::vector<uint32_t>& exclude, uint32_t limit) {
  const EpochGuard guard(epochs_);
  CheckUsers(neighbors.data(), neighbors.size());
  CheckItems(exclude.data(), exclude.size());
  OrdinalTable<Contribution> sums;
  for (uint32_t via = 0; via < neighbors.size(); via++) {
    const UserRow* row = this->row(neighbors[via]);
    if (row == nullptr || !(scores[via] > 0)) continue;
    for (uint32_t i = 0; i < row->count; i++) {
      const float weight = row->weights()[i];
      if (!(weight > 0)) continue;
      const double contribution = static_cast<double>(scores[via]) * weight / row->positive_weight;
      Contribution& sum = sums[row->items()[i]];
      sum.sum += contribution;
      if (!sum.known || contribution > sum.best) {
        sum.known = true;
        sum.best = contribution;
        sum.via = via;
      }
    }
  }
  for (const uint32_t item : exclude)
    if (Contribution* sum = sums.Find(item)) sum->sum = 0;
  std::vector<std::pair<uint32_t, float>> scored;
  for (const auto& entry : sums.entries()) scored.emplace_back(entry.ordinal, static_cast<float>(entry.value.sum));
  Ranked ranked = Rank(scored, limit);
  for (const uint32_t item : ranked.ordinals) ranked.via.push_back(sums[item].via);
  return ranked;
}

Ranked ReadModel::PopularItems(uint32_t limit) {
  const EpochGuard guard(epochs_);
  const uint32_t size = items_.size();
  std::vector<std::pair<uint32_t, float>> best;
  // Candidates are gathered with room to spare and cut from time to time; below the worst kept none needs a look.
  const size_t room = size_t{limit} * 2 + 1024;
  float least = 1;
  for (uint32_t item = 0; limit > 0 && item < size; item++) {
    const auto users = static_cast<float>(listeners(item));
    if (users < least) continue;
    best.emplace_back(item, users);
    if (best.size() < room) continue;
    std::nth_element(best.begin(), best.begin() + (limit - 1), best.end(), Better{items_});
    best.resize(limit);
    least = best.back().second;
  }
  return Rank(best, limit);
}

std::vector<uint32_t> ReadModel::RecentUsers(uint32_t limit) {
  const EpochGuard guard(epochs_);
  std::vector<uint32_t> recent;
  const Ring* ring = publications_.load(std::memory_order_acquire);
  const uint64_t head = ring->head.load(std::memory_order_acquire);
  const uint32_t held = ring->held(head);
  for (uint32_t back = 0; back < held && recent.size() < limit; back++) {
    const uint32_t user = ring->Back(head, back);
    const UserRow* row = this->row(user);
    // Not the user's newest publication: it was listed already.
    if (row != nullptr && row->publication == head - back) recent.push_back(user);
  }
  return recent;
}

}  // namespace kindred::read_model
