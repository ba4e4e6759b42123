// What a graph was built with, kept as 8-bit codes: enough to say whether a vector has drifted away since. For the writer
// and for builders; no search reads it. dims + 8 bytes a node.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace kindred {

class BuiltVectors {
 public:
  BuiltVectors() = default;
  BuiltVectors(uint32_t nodes, uint32_t dims) : dims_(dims), codes_(size_t{nodes} * dims), scales_(nodes), norms_(nodes) {}

  void Set(uint32_t node, const float* vector) {
    float highest = 0, norm = 0;
    for (uint32_t i = 0; i < dims_; i++) {
      highest = std::fmax(highest, std::fabs(vector[i]));
      norm += vector[i] * vector[i];
    }
    scales_[node] = highest / 127;
    norms_[node] = norm;
    int8_t* code = &codes_[size_t{node} * dims_];
    for (uint32_t i = 0; i < dims_; i++) code[i] = highest == 0 ? 0 : static_cast<int8_t>(std::lrintf(vector[i] / scales_[node]));
  }
  // Forgets what an erased one was built with; whoever comes back there has drifted.
  void Clear(uint32_t node) {
    std::memset(&codes_[size_t{node} * dims_], 0, dims_);
    scales_[node] = norms_[node] = 0;
  }
  // |vector - built|^2 > limit * |built|^2. For unit vectors that is cosine < 1 - limit / 2, and the same relative
  // change for vectors of any length.
  bool Drifted(uint32_t node, const float* vector, float limit) const {
    const int8_t* code = &codes_[size_t{node} * dims_];
    float product = 0, norm = 0;
    for (uint32_t i = 0; i < dims_; i++) {
      product += vector[i] * static_cast<float>(code[i]);
      norm += vector[i] * vector[i];
    }
    return !(norm - 2 * product * scales_[node] + norms_[node] <= limit * norms_[node]);
  }

  size_t MemoryBytes() const { return codes_.size() + (scales_.size() + norms_.size()) * 4; }
  uint32_t dims() const { return dims_; }
  // For files.
  std::vector<int8_t>& codes() { return codes_; }
  std::vector<float>& scales() { return scales_; }
  std::vector<float>& norms() { return norms_; }
  const std::vector<int8_t>& codes() const { return codes_; }
  const std::vector<float>& scales() const { return scales_; }
  const std::vector<float>& norms() const { return norms_; }

 private:
  uint32_t dims_ = 0;
  std::vector<int8_t> codes_;
  std::vector<float> scales_, norms_;
};

}  // namespace kindred
