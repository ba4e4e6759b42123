// What becomes a node of a shard's next graph: a row each, but one for all rows that are the same.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "hnsw_graph.h"
#include "shard_graph.h"

namespace kindred {

// Nodes in the order of their (first) ordinals; `rows` is compacted to one row a node.
std::shared_ptr<ShardGraph> LayOutNodes(const std::vector<uint32_t>& ordinals, AlignedArray<float>& rows, uint32_t stride, uint32_t dims);

// Rows by which the links of an inner-product graph are chosen.
void EvenOutLengths(AlignedArray<float>& rows, uint32_t count, uint32_t stride);

}  // namespace kindred
