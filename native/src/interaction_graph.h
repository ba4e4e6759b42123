// The bipartite graph of users and items as a sparse matrix: what its spectrum, its smoothing and the training of item vectors share.
// No row is kept of any user: a user's vector is pooled from the items' rows when it is wanted.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "skip_gram_math.h"

namespace kindred::interaction_graph {

using skip_gram::Math;
using skip_gram::Padded;

// A table of rows that are padded with zeros to `width` floats.
struct Table {
  Table() = default;
  Table(size_t rows, uint32_t width) : width(width), values(rows * width) {}
  float* row(size_t at) { return &values[at * width]; }
  const float* row(size_t at) const { return &values[at * width]; }
  size_t rows() const { return width == 0 ? 0 : values.size() / width; }
  uint32_t width = 0;
  std::vector<float> values;
};

// Root mean square of the rows' lengths.
double LengthOf(const Table& table, const Math& math);
void Scale(Table& table, double by);

struct Edge {
  uint32_t item;
  float weight;
};

class Graph {
 public:
  // User u has rows[starts[u]] to rows[starts[u + 1] - 1]; weights as many as rows, or none where all are 1. They are scaled to a mean of 1.
  // @throws IndexError INVALID_ARGUMENT
  Graph(uint32_t items, std::vector<uint32_t> starts, std::vector<uint32_t> rows, std::vector<float> weights);

  uint32_t items() const { return static_cast<uint32_t>(item_degrees_.size()); }
  uint32_t users() const { return static_cast<uint32_t>(starts_.size() - 1); }
  // Items that somebody has.
  const std::vector<uint32_t>& seen() const { return seen_; }
  // Sums of weights.
  const std::vector<float>& item_degrees() const { return item_degrees_; }
  float user_degree(uint32_t user) const;
  uint32_t count(uint32_t user) const { return starts_[user + 1] - starts_[user]; }
  Edge edge(uint32_t user, uint32_t at) const { return {rows_[starts_[user] + at], weights_.empty() ? 1.f : weights_[starts_[user] + at]}; }

  // For each user in turn the weighted sum of its items' rows goes through `change`, and what comes out is added, by weight, to the rows of
  // the items in the sum that is returned. Each thread adds up by itself. False where `stop` came first: the sum is then of no use.
  using Change = std::function<void(uint32_t user, float* pooled)>;
  bool Propagate(const Table& from, const Math& math, uint32_t threads, const std::atomic<bool>& stop, const Change& change, Table& sum) const;

 private:
  std::vector<uint32_t> starts_, rows_;
  std::vector<float> weights_, item_degrees_;
  std::vector<uint32_t> seen_;
};

// Runs `work` on so many threads, this one included; fewer do the same work. Memory that was refused to one is refused to all.
void OnThreads(uint32_t threads, const std::function<void()>& work);

}  // namespace kindred::interaction_graph
