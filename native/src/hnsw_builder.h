// The border to Faiss: building a graph, and graphs as standard Faiss index files (IndexHNSWFlat, inner product).
// Nothing else of the engine knows Faiss.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "hnsw_graph.h"

namespace kindred {

struct BuildParams {
  uint32_t m = 16;                // 2..64: links of a node; twice as many on the lowest level
  uint32_t ef_construction = 80;  // 8..2,000
  uint64_t seed = 1;
};

// A frozen copy of vectors: row-major float32, `stride` (a multiple of 16) floats a row, on cache lines.
struct FrozenRows {
  const float* data;
  uint32_t count, stride;
  const float* Row(uint32_t i) const { return data + size_t{i} * stride; }
};

// On the calling thread alone, without OpenMP: the same rows and parameters give the same graph.
// Null when cancelled. `count` is 1 or more. The rows are freed before the graph takes its final form: the two at one time
// would be the most memory that a swap needs.
std::unique_ptr<HnswGraph> BuildGraph(AlignedArray<float> rows, uint32_t count, uint32_t stride, const BuildParams& params, const std::atomic<bool>& cancelled);

// Rows go into the index's flat storage, `dims` of each. `write` takes the bytes in order.
void WriteFaissIndex(const HnswGraph& graph, const FrozenRows& rows, uint32_t dims, const std::function<void(const void*, size_t)>& write);
// Throws IndexError SHARD_CORRUPT where the file is not such an index of `nodes` x `dims`, or points outside of itself.
std::unique_ptr<HnswGraph> ReadFaissIndex(const std::string& path, uint32_t dims, uint32_t nodes);

}  // namespace kindred
