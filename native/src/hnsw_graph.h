// A navigable graph in the form that a walk wants: the neighbours of each node side by side on whole cache lines, the
// few nodes of the upper levels apart. Immutable once made. Nodes are dense numbers; -1 ends a list of neighbours.
//
// Malkov and Yashunin 2016, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable
// Small World graphs" (arXiv:1603.09320). Built by Faiss, see hnsw_builder.h.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace kindred {

constexpr int32_t kNoNode = -1;

// Memory on cache lines, on huge pages where it is large.
template <typename T>
class AlignedArray {
 public:
  AlignedArray() = default;
  explicit AlignedArray(size_t count);
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  T& operator[](size_t i) { return data_.get()[i]; }
  const T& operator[](size_t i) const { return data_.get()[i]; }
  size_t size() const { return size_; }
  size_t bytes() const { return size_ * sizeof(T); }

 private:
  struct Free {
    void operator()(T* at) const;
  };
  std::unique_ptr<T, Free> data_;
  size_t size_ = 0;
};

class HnswGraph {
 public:
  // `levels[node]` is 1 for a node of the lowest level only, as Faiss counts. Lists begin empty.
  HnswGraph(uint32_t m, const std::vector<int>& levels, int32_t entry, int max_level);

  uint32_t size() const { return size_; }
  uint32_t m() const { return m_; }
  // Most neighbours of a node on a level.
  uint32_t Width(int level) const { return level == 0 ? 2 * m_ : m_; }
  int32_t entry() const { return entry_; }
  int max_level() const { return max_level_; }
  // Levels of a node, 1 or more.
  int Levels(uint32_t node) const {
    if (!IsUpper(node)) return 1;
    const uint32_t rank = Rank(node);
    return 1 + static_cast<int>(upper_start_[rank + 1] - upper_start_[rank]);
  }
  const int32_t* Neighbors(uint32_t node, int level) const {
    return level == 0 ? &level0_[size_t{node} * stride0_] : &upper_[(size_t{upper_start_[Rank(node)]} + level - 1) * m_];
  }
  int32_t* MutableNeighbors(uint32_t node, int level) { return const_cast<int32_t*>(Neighbors(node, level)); }
  size_t MemoryBytes() const;

 private:
  bool IsUpper(uint32_t node) const { return upper_bits_[node >> 6] >> (node & 63) & 1; }
  // The node's place among those with upper levels.
  uint32_t Rank(uint32_t node) const {
    const uint64_t below = upper_bits_[node >> 6] & ((uint64_t{1} << (node & 63)) - 1);
    return upper_rank_[node >> 6] + static_cast<uint32_t>(__builtin_popcountll(below));
  }

  uint32_t size_, m_, stride0_;
  int32_t entry_;
  int max_level_;
  AlignedArray<int32_t> level0_;
  std::vector<uint64_t> upper_bits_;
  std::vector<uint32_t> upper_rank_, upper_start_;
  std::vector<int32_t> upper_;
};

}  // namespace kindred
