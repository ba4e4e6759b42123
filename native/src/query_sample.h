// The newest queries, thinned out: what live recall is measured on, each once, so that one measurement says something
// that the last did not. A search never waits for it.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace kindred {

class QuerySample {
 public:
  static constexpr uint32_t kKept = 256, kEvery = 8;

  void Offer(const float* query, uint32_t floats) {
    if (!wanted_.load(std::memory_order_relaxed) || seen_.fetch_add(1, std::memory_order_relaxed) % kEvery != 0) return;
    std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock()) return;
    if (kept_.size() < kKept) kept_.emplace_back(query, query + floats);
    else kept_[next_++ % kKept].assign(query, query + floats);
  }
  // At most `most` of them, the newest first; the others are given up.
  std::vector<std::vector<float>> Take(uint32_t most) {
    wanted_.store(true, std::memory_order_relaxed);
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<std::vector<float>> taken;
    taken.swap(kept_);
    // After the first round the oldest is where the next would go.
    if (taken.size() == kKept) std::rotate(taken.begin(), taken.begin() + next_ % kKept, taken.end());
    next_ = 0;
    std::reverse(taken.begin(), taken.end());
    if (taken.size() > most) taken.resize(most);
    return taken;
  }

 private:
  // Where nobody measures, no query is kept.
  std::atomic<bool> wanted_{false};
  std::atomic<uint32_t> seen_{0};
  std::mutex mutex_;
  uint32_t next_ = 0;
  std::vector<std::vector<float>> kept_;
};

}  // namespace kindred
