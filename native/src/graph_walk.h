// A beam search over a shard's graph that scores the vectors of now, not those the graph was built with.
#pragma once
#include <cstdint>
#include <vector>

#include "deadline.h"
#include "ordinal_filter.h"
#include "shard_graph.h"
#include "top_k.h"
#include "vector_table.h"

namespace kindred {

// What a walk needs, kept by each thread from search to search.
class WalkScratch {
 public:
  // A new walk over so many nodes: forgets what was visited, by a new tag and not by clearing.
  void Begin(uint32_t nodes) {
    if (visited_.size() < nodes) visited_.resize(nodes, 0);
    if (++tag_ == 0) {
      std::fill(visited_.begin(), visited_.end(), 0);
      tag_ = 1;
    }
    candidates.clear();
    scored_members.Clear();
  }
  bool Visited(uint32_t node) const { return visited_[node] == tag_; }
  bool Visit(uint32_t node) {
    if (visited_[node] == tag_) return false;
    visited_[node] = tag_;
    return true;
  }

  struct Candidate {
    float score;
    uint32_t node;
    bool operator<(const Candidate& other) const { return score < other.score; }
  };
  std::vector<Candidate> candidates;
  // Of buckets, those that entered the results.
  OrdinalBits scored_members;

 private:
  std::vector<uint8_t> visited_;
  uint8_t tag_ = 0;
};

enum class WalkEnd : uint8_t { kComplete, kDeadline, kSpent };

// Inside the caller's EpochGuard. `found` holds the ef best that pass the filter; the filter keeps nobody from being
// walked over. Nodes whose owner has gone have no score of their own and are walked over at the score of the node that
// led there, a bounded number of times. kDeadline: it passed before the end. kSpent: `scores_left`, which each scored
// vector draws down, fell below 0 before the end; what was found is to be thrown away.
WalkEnd WalkGraph(const ShardGraph& shard, const VectorTable& table, const float* query, const OrdinalFilter& filter, const Deadline& deadline,
                  WalkScratch& scratch, TopK& found, uint32_t ef, int64_t& scores_left);

}  // namespace kindred
