// A graph that is built but not yet searched. It is verified, then published once; dropped before that, the shard goes on
// as it is. Meanwhile it follows what changes through the shard's journal.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "fresh_list.h"
#include "shard_graph.h"
#include "vector_index.h"

namespace kindred {

class StagedGraph {
 public:
  StagedGraph(std::shared_ptr<VectorIndex> index, uint32_t shard) : index_(std::move(index)), shard_(shard), fresh_(std::make_shared<FreshList>()) {}
  ~StagedGraph() {
    if (!published_) index_->AbandonBuild(shard_);
  }

  uint32_t shard() const { return shard_; }
  uint32_t nodes() const { return graph_ == nullptr || graph_->graph == nullptr ? 0 : graph_->nodes(); }

 private:
  friend class VectorIndex;
  // Ascending, with the node of each.
  struct Place {
    uint32_t ordinal;
    int32_t node;
    bool operator<(const Place& other) const { return ordinal < other.ordinal; }
  };

  std::shared_ptr<VectorIndex> index_;  // until it is published: what is left of it then must not keep the index alive
  const uint32_t shard_;
  std::shared_ptr<ShardGraph> graph_;
  std::shared_ptr<FreshList> fresh_;
  std::vector<Place> places_;
  OrdinalBits is_fresh_;
  double recall_ = -1;
  bool published_ = false;
  bool behind_ = false;  // memory was refused while it took over changes: it lacks some
  std::mutex mutex_;  // two calls on one staged graph
};

}  // namespace kindred
