#include "hnsw_graph.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace kindred {

template <typename T>
AlignedArray<T>::AlignedArray(size_t count) : size_(count) {
  constexpr size_t kHuge = 2u << 20;
  const size_t bytes = std::max<size_t>(count * sizeof(T), 1);
  const size_t alignment = bytes >= 4 * kHuge ? kHuge : 64;
  void* at = nullptr;
  if (posix_memalign(&at, alignment, (bytes + alignment - 1) / alignment * alignment) != 0) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  if (alignment == kHuge) madvise(at, (bytes + alignment - 1) / alignment * alignment, MADV_HUGEPAGE);
#endif
  data_.reset(static_cast<T*>(at));
}

template <typename T>
void AlignedArray<T>::Free::operator()(T* at) const {
  std::free(at);
}

template class AlignedArray<int32_t>;
template class AlignedArray<float>;

HnswGraph::HnswGraph(uint32_t m, const std::vector<int>& levels, int32_t entry, int max_level)
    : size_(static_cast<uint32_t>(levels.size())), m_(m), stride0_((2 * m + 15) / 16 * 16), entry_(entry), max_level_(max_level), level0_(size_t{size_} * stride0_) {
  std::fill(level0_.data(), level0_.data() + level0_.size(), kNoNode);
  upper_bits_.resize((size_ + 63) / 64);
  upper_rank_.resize(upper_bits_.size());
  uint32_t rank = 0, start = 0;
  for (uint32_t node = 0; node < size_; node++) {
    if (node % 64 == 0) upper_rank_[node / 64] = rank;
    if (levels[node] <= 1) continue;
    upper_bits_[node >> 6] |= uint64_t{1} << (node & 63);
    upper_start_.push_back(start);
    start += static_cast<uint32_t>(levels[node] - 1);
    rank++;
  }
  upper_start_.push_back(start);
  upper_.assign(size_t{start} * m_, kNoNode);
}

size_t HnswGraph::MemoryBytes() const {
  return level0_.bytes() + upper_bits_.size() * 8 + (upper_rank_.size() + upper_start_.size() + upper_.size()) * 4;
}

}  // namespace kindred
