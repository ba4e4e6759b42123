// A shard at one moment, in the form of its files: the rows, and a graph whose nodes point to rows.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "built_vectors.h"
#include "hnsw_graph.h"
#include "shard_graph.h"

namespace kindred {

class FrozenShard {
 public:
  uint32_t dims = 0, stride = 0;
  uint8_t metric = 0;
  std::vector<uint32_t> ordinals;  // of each row
  AlignedArray<float> rows;
  // Null where the shard has no graph. Owners and members are row numbers here, not ordinals.
  std::shared_ptr<const HnswGraph> graph;
  std::vector<uint32_t> row_of_node;  // row, kBucketBit | bucket, or kNoOrdinalMark
  std::vector<uint32_t> bucket_start, bucket_members;
  AlignedArray<float> bucket_rows;
  BuiltVectors built;

  const float* Row(uint32_t i) const { return &rows[size_t{i} * stride]; }
};

struct WrittenFile {
  std::string suffix;
  uint64_t bytes;
  uint32_t crc32c;
};

// Writes prefix + ".rows" and, with a graph, prefix + ".graph" (a standard Faiss index) and prefix + ".nodes"; each is
// on the disk when it returns. Throws IndexError STORAGE_FAILED.
std::vector<WrittenFile> WriteShardFiles(const FrozenShard& shard, const std::string& prefix);
// Reads them back; `expected` says what the manifest promises, `stride` is the padded width of
// the table they go into. Ordinals are not in the files: the caller sets them.
// Throws IndexError SHARD_CORRUPT naming the file.
std::unique_ptr<FrozenShard> ReadShardFiles(const std::string& prefix, const std::vector<WrittenFile>& expected, uint32_t dims, uint32_t stride,
                                            uint8_t metric, uint32_t rows);

}  // namespace kindred
