// Epoch-based reclamation (Fraser 2004, "Practical lock freedom", section 5.2.3): readers never wait and never write
// what another reader writes; a writer frees only what no reader can still see.
//
// A reader holds an EpochGuard while it follows shared pointers. A writer first unlinks a thing (a release store), then
// retires it; it is freed once every guard that was there at that time has ended.
//
// Why it holds: a retired thing carries the epoch T of its retirement, and the epoch moves on only after that. A reader
// that announced an epoch above T has read the moved-on counter, so it sees the unlinking. One that announced T or less
// keeps the thing alive. One between reading the counter and announcing it reads the counter again and starts over.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <new>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace kindred {

class EpochDomain {
 public:
  // Most guards at one time. Guards live on threads of the process, a search each, so this is never met in practice.
  static constexpr uint32_t kMaxGuards = 1024;

  EpochDomain() : slots_(kMaxGuards) {}
  EpochDomain(const EpochDomain&) = delete;
  EpochDomain& operator=(const EpochDomain&) = delete;
  // No guard may be left.
  ~EpochDomain() {
    for (auto& item : retired_) item.free();
  }

  // Before something is unlinked: after it, one Retire of what fits a std::function without an allocation cannot fail.
  void Reserve() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (retired_.size() == retired_.capacity()) retired_.reserve(retired_.size() * 2 + 1);
  }

  // `free` runs on the thread of a later Retire or Collect, outside of any lock; it must not throw.
  void Retire(std::function<void()> free) {
    bool due;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      retired_.push_back({epoch_.load(std::memory_order_seq_cst), std::move(free)});
      due = retired_.size() >= collect_at_;
    }
    if (due) Collect();
  }

  // Frees what no guard can see any more. Returns how many things wait. Where memory is refused, all wait for the next time.
  size_t Collect() noexcept {
    std::vector<Retired> free;
    size_t left;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      try {
        free.reserve(retired_.size());
      } catch (const std::bad_alloc&) {
        return retired_.size();
      }
      Advance();
      const uint64_t safe = SafeBefore();
      size_t kept = 0;
      for (auto& item : retired_) {
        if (item.epoch < safe) free.push_back(std::move(item));
        else retired_[kept++] = std::move(item);
      }
      retired_.erase(retired_.begin() + static_cast<ptrdiff_t>(kept), retired_.end());
      // Twice what could not be freed: a long guard does not make each Retire look at everything again.
      collect_at_ = kept * 2 + kCollectEvery;
      left = kept;
    }
    for (auto& item : free) item.free();
    return left;
  }

  // For writers that keep a limbo of their own: call Advance after unlinking and keep what it returns as the tag;
  // whatever has a tag below SafeBefore() may be used again.
  uint64_t Advance() { return epoch_.fetch_add(1, std::memory_order_seq_cst); }

  uint64_t SafeBefore() const {
    uint64_t oldest = epoch_.load(std::memory_order_seq_cst);
    const uint32_t used = used_.load(std::memory_order_seq_cst);
    for (uint32_t i = 0; i < used; i++) {
      const uint64_t at = slots_[i].epoch.load(std::memory_order_seq_cst);
      if (at != 0 && at < oldest) oldest = at;
    }
    return oldest;
  }

 private:
  friend class EpochGuard;
  static constexpr size_t kCollectEvery = 256;

  struct alignas(64) Slot {
    std::atomic<uint64_t> epoch{0};  // 0: free
  };
  struct Retired {
    uint64_t epoch;
    std::function<void()> free;
  };

  // Where this thread found a free slot the last time: threads spread out, and each stays on its cache line.
  static uint32_t& Hint() {
    static thread_local uint32_t hint = 0;
    return hint;
  }

  uint32_t Enter() {
    uint64_t now = epoch_.load(std::memory_order_seq_cst);
    const uint32_t slot = Claim(now);
    for (;;) {
      const uint64_t again = epoch_.load(std::memory_order_seq_cst);
      if (again == now) return slot;
      now = again;
      slots_[slot].epoch.store(now, std::memory_order_seq_cst);
    }
  }

  uint32_t Claim(uint64_t now) {
    uint32_t& hint = Hint();
    for (uint32_t tried = 0; tried < kMaxGuards; tried++) {
      const uint32_t i = (hint + tried) % kMaxGuards;
      // The high-water mark is raised first, so that a writer cannot miss the slot.
      uint32_t used = used_.load(std::memory_order_seq_cst);
      while (used <= i && !used_.compare_exchange_weak(used, i + 1, std::memory_order_seq_cst)) {
      }
      uint64_t free = 0;
      if (slots_[i].epoch.load(std::memory_order_relaxed) == 0 &&
          slots_[i].epoch.compare_exchange_strong(free, now, std::memory_order_seq_cst)) {
        hint = i;
        return i;
      }
    }
    throw std::runtime_error("more readers at one time than the epoch domain has places");
  }

  void Leave(uint32_t slot) { slots_[slot].epoch.store(0, std::memory_order_seq_cst); }

  std::atomic<uint64_t> epoch_{1};
  std::atomic<uint32_t> used_{0};
  std::vector<Slot> slots_;
  std::mutex mutex_;
  std::vector<Retired> retired_;
  size_t collect_at_ = kCollectEvery;
};

// What was reachable when the guard began stays valid until it ends. Cheap: two atomic stores. May be nested.
class EpochGuard {
 public:
  explicit EpochGuard(EpochDomain& domain) : domain_(domain), slot_(domain.Enter()) {}
  ~EpochGuard() { domain_.Leave(slot_); }
  EpochGuard(const EpochGuard&) = delete;
  EpochGuard& operator=(const EpochGuard&) = delete;

 private:
  EpochDomain& domain_;
  const uint32_t slot_;
};

}  // namespace kindred
