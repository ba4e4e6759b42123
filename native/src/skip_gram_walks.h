// Walks along meta-paths over a graph of many node types (Dong, Chawla, Swami, "metapath2vec", KDD 2017), made as they are needed and never
// kept: where a walk goes depends on seed, epoch and walker alone. The next node is drawn by the weight of the edge, in constant time.
#pragma once
#include <cstdint>
#include <vector>

#include "skip_gram_sampler.h"

namespace kindred::skip_gram {

// Edges from the nodes `first`, `first` + 1, ... : that number i has targets[starts[i]] to targets[starts[i + 1] - 1].
struct Relation {
  uint32_t first = 0;
  std::vector<uint32_t> starts, targets;
  // Of edges, above 0.
  std::vector<float> weights;
};

// One relation a step, the first again after the last; a walker for each of the nodes.
struct MetaPath {
  std::vector<uint32_t> relations, nodes;
};

struct WalkData {
  std::vector<Relation> relations;
  std::vector<MetaPath> paths;
  // Nodes of a walk, and how far apart a node and its context may be in it.
  uint32_t length = 2, window = 1;
  // By type and type: whether a node of the first has nodes of the second as context.
  std::vector<uint8_t> contexts;
  uint32_t types = 1;
  // Negatives are of the type of a context; else of any.
  bool typed_negatives = false;
};

class Walks {
 public:
  // @throws IndexError INVALID_ARGUMENT
  Walks(WalkData data, uint32_t nodes);
  uint32_t walkers() const { return begins_.back(); }
  // Ends early where a node has no edge to go on by.
  void Walk(uint32_t walker, Random& random, std::vector<uint32_t>& nodes) const;
  bool IsContext(uint32_t type, uint32_t of) const { return data_.contexts[of * data_.types + type] != 0; }
  const WalkData& data() const { return data_; }

 private:
  // Within one relation: the edge i of a node is taken with this probability, else the edge alias_[i] of that node.
  struct Draws {
    std::vector<float> share;
    std::vector<uint32_t> alias;
  };
  WalkData data_;
  std::vector<Draws> draws_;
  // First walker of each path, and one after the last.
  std::vector<uint32_t> begins_;
};

}  // namespace kindred::skip_gram
