// A shard's graph with what its nodes stand for, and the immutable set of shards that a search takes.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "built_vectors.h"
#include "fresh_list.h"
#include "hnsw_graph.h"
#include "length_order.h"

namespace kindred {

constexpr uint32_t kNoOrdinalMark = 0x7fffffff;  // of a node whose owner is unknown; above every ordinal
constexpr uint32_t kBucketBit = 0x80000000;
// So many with one vector share a node, see Bucket below.
constexpr uint32_t kBucketFrom = 8;

// A node is one ordinal's, or a bucket's. Many users with one and the same vector (all who did one thing only, and the
// same) would be nearest to each other and to nobody else, and the graph would fall into islands. They share a node that
// keeps the vector they had; each is scored by the own current vector when the walk comes by.
struct ShardGraph {
  std::shared_ptr<const HnswGraph> graph;
  std::vector<uint32_t> owner_of_node;  // ordinal, or kBucketBit | bucket
  AlignedArray<float> bucket_rows;      // bucket_stride floats each
  uint32_t bucket_stride = 0;
  std::vector<uint32_t> bucket_start;  // bucket_count + 1
  std::vector<uint32_t> bucket_members;
  // Under inner product: scanned before the graph is walked.
  LengthOrder longest;
  // The writer's: nothing that searches look at.
  BuiltVectors built;

  uint32_t nodes() const { return graph->size(); }
  uint32_t buckets() const { return bucket_start.empty() ? 0 : static_cast<uint32_t>(bucket_start.size() - 1); }
  const float* BucketRow(uint32_t owner) const { return &bucket_rows[size_t{owner & ~kBucketBit} * bucket_stride]; }
  // Each ordinal of the graph with its node.
  template <typename Look>
  void ForEachOrdinal(Look look) const {
    for (uint32_t node = 0; node < nodes(); node++) {
      const uint32_t owner = owner_of_node[node];
      if (owner & kBucketBit) {
        const uint32_t bucket = owner & ~kBucketBit;
        for (uint32_t i = bucket_start[bucket]; i < bucket_start[bucket + 1]; i++) look(bucket_members[i], node);
      } else if (owner != kNoOrdinalMark) {
        look(owner, node);
      }
    }
  }
  size_t MemoryBytes() const {
    return graph->MemoryBytes() + (owner_of_node.size() + bucket_start.size() + bucket_members.size()) * 4 + bucket_rows.bytes() + longest.MemoryBytes() +
           built.MemoryBytes();
  }
};

// A shard as searches see it: what is in the graph, and the rest.
struct ShardState {
  std::shared_ptr<ShardGraph> graph;  // null before the first build: then everything is in `fresh`
  std::shared_ptr<FreshList> fresh;
};

// Immutable. A search takes one; publishing replaces it by one assignment.
struct ShardSet {
  std::vector<ShardState> shards;
};

}  // namespace kindred
