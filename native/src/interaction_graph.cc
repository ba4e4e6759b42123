#include "interaction_graph.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

#include "coded_error.h"

namespace kindred::interaction_graph {

namespace {

// Users that a thread takes at a time.
constexpr uint32_t kChunk = 256;

}  // namespace

double LengthOf(const Table& table, const Math& math) {
  double sum = 0;
  for (size_t row = 0; row < table.rows(); row++) sum += math.square(table.row(row), table.width);
  return std::sqrt(sum / std::max(1., static_cast<double>(table.rows())));
}

void Scale(Table& table, double by) {
  for (float& value : table.values) value = static_cast<float>(value * by);
}

void OnThreads(uint32_t threads, const std::function<void()>& work) {
  std::atomic<bool> failed{false};
  const auto guarded = [&] {
    try {
      work();
    } catch (const std::bad_alloc&) {
      failed = true;
    }
  };
  std::vector<std::thread> others;
  try {
    for (uint32_t t = 1; t < threads; t++) others.emplace_back(guarded);
  } catch (const std::system_error&) {
    // Fewer threads do the same work.
  }
  guarded();
  for (std::thread& thread : others) thread.join();
  if (failed) throw std::bad_alloc();
}

Graph::Graph(uint32_t items, std::vector<uint32_t> starts, std::vector<uint32_t> rows, std::vector<float> weights)
    : starts_(std::move(starts)), rows_(std::move(rows)), weights_(std::move(weights)), item_degrees_(items) {
  if (starts_.empty() || starts_[0] != 0 || starts_.back() != rows_.size()) RefuseArgument("starts are those of the rows");
  if (!std::is_sorted(starts_.begin(), starts_.end())) RefuseArgument("starts never fall");
  if (!weights_.empty() && weights_.size() != rows_.size()) RefuseArgument("weights are as many as the rows");
  double total = 0;
  for (const float weight : weights_) {
    if (!(weight > 0 && weight <= 1e30f)) RefuseArgument("weights are finite, above 0");
    total += weight;
  }
  for (float& weight : weights_) weight = static_cast<float>(weight * (static_cast<double>(weights_.size()) / total));
  // As a share of the mean a weight can still vanish.
  for (float& weight : weights_) weight = std::max(weight, 1e-12f);
  std::vector<double> degrees(items);
  for (size_t at = 0; at < rows_.size(); at++) {
    if (rows_[at] >= items) RefuseArgument("a row is beyond the items");
    degrees[rows_[at]] += weights_.empty() ? 1 : weights_[at];
  }
  for (uint32_t item = 0; item < items; item++) {
    item_degrees_[item] = static_cast<float>(degrees[item]);
    if (degrees[item] > 0) seen_.push_back(item);
  }
}

float Graph::user_degree(uint32_t user) const {
  if (weights_.empty()) return static_cast<float>(count(user));
  double sum = 0;
  for (uint32_t at = 0; at < count(user); at++) sum += edge(user, at).weight;
  return static_cast<float>(sum);
}

bool Graph::Propagate(const Table& from, const Math& math, uint32_t threads, const std::atomic<bool>& stop, const Change& change, Table& sum) const {
  std::atomic<uint32_t> next{0};
  std::mutex mutex;
  sum = Table();
  OnThreads(threads, [&] {
    Table own(items(), from.width);
    std::vector<float> pooled(from.width);
    while (!stop.load(std::memory_order_relaxed)) {
      uint32_t at = next.load();
      while (at < users() && !next.compare_exchange_weak(at, std::min(users(), at + kChunk))) {
      }
      if (at >= users()) break;
      for (const uint32_t end = std::min(users(), at + kChunk); at < end; at++) {
        const uint32_t many = count(at);
        if (many == 0) continue;
        std::fill(pooled.begin(), pooled.end(), 0.f);
        for (uint32_t e = 0; e < many; e++) math.add(pooled.data(), from.row(edge(at, e).item), edge(at, e).weight, from.width);
        change(at, pooled.data());
        for (uint32_t e = 0; e < many; e++) math.add(own.row(edge(at, e).item), pooled.data(), edge(at, e).weight, from.width);
      }
    }
    std::lock_guard<std::mutex> lock(mutex);
    if (sum.values.empty()) {
      sum = std::move(own);
    } else {
      for (size_t row = 0; row < sum.rows(); row++) math.add(sum.row(row), own.row(row), 1, sum.width);
    }
  });
  return !stop.load();
}

}  // namespace kindred::interaction_graph
