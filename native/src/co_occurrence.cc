// Item-to-item by co-occurrence: Linden, Smith, York 2003, "Amazon.com recommendations: item-to-item collaborative
// filtering", with a bounded sample of each seed's newest listeners instead of all.
#include <algorithm>
#include <cmath>

#include "ordinal_table.h"
#include "read_model.h"

namespace kindred::read_model {

namespace {

bool Likes(const UserRow& row, uint32_t item) {
  const uint32_t* end = row.items() + row.count;
  const uint32_t* found = std::find(row.items(), end, item);
  return found != end && row.weights()[found - row.items()] > 0;
}

struct Score {
  double sum = 0;
  uint32_t together = 0;  // listeners of the seed at hand
};

}  // namespace

// The newest entries first, each user once, only who likes the seed now.
void ReadModel::CollectListeners(uint32_t seed, uint32_t most, std::vector<const UserRow*>& out, std::vector<uint32_t>* users) const {
  out.clear();
  const Ring* ring = item_listeners_[seed].load(std::memory_order_acquire);
  if (ring == nullptr) return;
  const uint64_t head = ring->head.load(std::memory_order_acquire);
  const uint32_t held = ring->held(head);
  OrdinalTable<uint8_t> seen;
  for (uint32_t back = 0; back < held && out.size() < most; back++) {
    const uint32_t user = ring->Back(head, back);
    uint8_t& already = seen[user];
    if (already != 0) continue;
    already = 1;
    const UserRow* row = this->row(user);
    if (row == nullptr || !Likes(*row, seed)) continue;
    out.push_back(row);
    if (users != nullptr) users->push_back(user);
  }
}

std::vector<uint32_t> ReadModel::ListenersOf(uint32_t item, uint32_t limit) {
  const EpochGuard guard(epochs_);
  CheckItems(&item, 1);
  std::vector<const UserRow*> rows;
  std::vector<uint32_t> users;
  CollectListeners(item, limit, rows, &users);
  return users;
}

Ranked ReadModel::CoOccurring(const std::vector<uint32_t>& seeds, const std::vector<float>& weights, const std::vector<uint32_t>& exclude, uint32_t limit) {
  const EpochGuard guard(epochs_);
  CheckItems(seeds.data(), seeds.size());
  CheckItems(exclude.data(), exclude.size());
  OrdinalTable<Score> scores;
  std::vector<const UserRow*> listeners;
  std::vector<uint32_t> touched;
  for (size_t s = 0; s < seeds.size(); s++) {
    CollectListeners(seeds[s], limits_.listeners_per_seed, listeners, nullptr);
    touched.clear();
    for (const UserRow* row : listeners)
      for (uint32_t i = 0; i < row->count; i++) {
        if (!(row->weights()[i] > 0)) continue;
        const uint32_t place = scores.Place(row->items()[i]);
        if (scores.At(place).together++ == 0) touched.push_back(place);
      }
    for (const uint32_t place : touched) {
      Score& score = scores.At(place);
      // At least those seen: the count may be behind the rows while a batch is published.
      const double users = std::max(score.together, this->listeners(scores.entries()[place].ordinal));
      const double cosine = score.together / std::sqrt(static_cast<double>(listeners.size()) * users);
      score.sum += static_cast<double>(weights[s]) * cosine;
      score.together = 0;
    }
  }
  for (const auto* left_out : {&seeds, &exclude})
    for (const uint32_t item : *left_out)
      if (Score* score = scores.Find(item)) score->sum = 0;
  std::vector<std::pair<uint32_t, float>> scored;
  for (const auto& entry : scores.entries()) scored.emplace_back(entry.ordinal, static_cast<float>(entry.value.sum));
  return Rank(scored, limit);
}

}  // namespace kindred::read_model
