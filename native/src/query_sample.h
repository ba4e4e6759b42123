// The newest queries, thinned out: what live recall is measured on. A search never waits for it.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace kindred {

class QuerySample {
 public:
  static constexpr uint32_t kKept = 256, kEvery = 8;

  void Offer(const float* query, uint32_t floats) {
    if (seen_.fetch_add(1, std::memory_order_relaxed) % kEvery != 0) return;
    std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock()) return;
    if (kept_.size() < kKept) kept_.emplace_back(query, query + floats);
    else kept_[next_++ % kKept].assign(query, query + floats);
  }
  // At most `most` of them.
  std::vector<std::vector<float>> Take(uint32_t most) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<std::vector<float>> taken(kept_);
    if (taken.size() > most) taken.resize(most);
    return taken;
  }

 private:
  std::atomic<uint32_t> seen_{0};
  std::mutex mutex_;
  uint32_t next_ = 0;
  std::vector<std::vector<float>> kept_;
};

}  // namespace kindred
