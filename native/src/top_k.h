// The best k of what is offered: higher scores first, ties by ordinal.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

namespace kindred {

struct Scored {
  float score;
  uint32_t ordinal;
};

inline bool Better(const Scored& a, const Scored& b) { return a.score > b.score || (a.score == b.score && a.ordinal < b.ordinal); }

class TopK {
 public:
  void Reset(uint32_t k) {
    k_ = k;
    heap_.clear();
  }
  // As wide as this one, with nothing in it.
  TopK Empty() const {
    TopK empty;
    empty.k_ = k_;
    return empty;
  }
  // After it, of at most `limit` offers none allocates. A copy has to reserve anew.
  void Reserve(size_t limit) { heap_.reserve(std::min<size_t>(k_, limit)); }
  // Whether something of this score may still enter; NaN never does.
  bool Accepts(float score) const { return heap_.size() < k_ ? score == score : score >= heap_.front().score; }
  void Offer(Scored found) {
    if (heap_.size() < k_) {
      if (found.score != found.score) return;
      heap_.push_back(found);
      std::push_heap(heap_.begin(), heap_.end(), Better);
    } else if (Better(found, heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), Better);
      heap_.back() = found;
      std::push_heap(heap_.begin(), heap_.end(), Better);
    }
  }
  void Merge(const TopK& other) {
    for (const Scored& found : other.heap_) Offer(found);
  }
  // Best first; the heap is spent.
  const std::vector<Scored>& Sorted() {
    std::sort(heap_.begin(), heap_.end(), Better);
    return heap_;
  }
  // In no order.
  const std::vector<Scored>& held() const { return heap_; }
  uint32_t k() const { return k_; }
  size_t size() const { return heap_.size(); }
  bool full() const { return heap_.size() == k_; }

 private:
  uint32_t k_ = 0;
  std::vector<Scored> heap_;
};

}  // namespace kindred
