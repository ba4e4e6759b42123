// Shards to and from the form of their files.
#include <algorithm>
#include <cstring>

#include "frozen_shard.h"
#include "vector_index.h"

namespace kindred {

std::shared_ptr<FrozenShard> VectorIndex::Freeze(uint32_t shard) {
  if (shard >= options_.shards) RefuseArgument("shard " + std::to_string(shard) + " is not below " + std::to_string(options_.shards));
  auto frozen = std::make_shared<FrozenShard>();
  std::shared_ptr<ShardGraph> graph;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    frozen->ordinals = OrdinalsOf(shard);
    graph = Set().shards[shard].graph;
  }
  CopyRows(frozen->ordinals, frozen->rows);
  frozen->dims = options_.dims;
  frozen->stride = table_.padded_dims();
  frozen->metric = static_cast<uint8_t>(options_.metric);
  if (graph == nullptr) return frozen;

  frozen->graph = graph->graph;
  const auto row_of = [&](uint32_t ordinal) {
    const auto at = std::lower_bound(frozen->ordinals.begin(), frozen->ordinals.end(), ordinal);
    return at != frozen->ordinals.end() && *at == ordinal ? static_cast<uint32_t>(at - frozen->ordinals.begin()) : kNoOrdinalMark;
  };
  for (uint32_t owner : graph->owner_of_node) frozen->row_of_node.push_back(owner & kBucketBit || owner == kNoOrdinalMark ? owner : row_of(owner));
  frozen->bucket_rows = AlignedArray<float>(graph->bucket_rows.size());
  std::memcpy(frozen->bucket_rows.data(), graph->bucket_rows.data(), graph->bucket_rows.bytes());
  frozen->bucket_start.push_back(0);
  for (uint32_t bucket = 0; bucket < graph->buckets(); bucket++) {
    for (uint32_t i = graph->bucket_start[bucket]; i < graph->bucket_start[bucket + 1]; i++) {
      const uint32_t row = row_of(graph->bucket_members[i]);
      if (row != kNoOrdinalMark) frozen->bucket_members.push_back(row);
    }
    frozen->bucket_start.push_back(static_cast<uint32_t>(frozen->bucket_members.size()));
  }
  // The writer clears codes of the erased: copied under its mutex, a part at a time.
  frozen->built = BuiltVectors(graph->nodes(), options_.dims);
  constexpr uint32_t kPart = 1u << 15;
  for (uint32_t at = 0; at < graph->nodes(); at += kPart) {
    std::lock_guard<std::mutex> lock(mutex_);
    const uint32_t count = std::min(kPart, graph->nodes() - at);
    std::memcpy(&frozen->built.codes()[size_t{at} * options_.dims], &graph->built.codes()[size_t{at} * options_.dims], size_t{count} * options_.dims);
    std::memcpy(&frozen->built.scales()[at], &graph->built.scales()[at], count * sizeof(float));
    std::memcpy(&frozen->built.norms()[at], &graph->built.norms()[at], count * sizeof(float));
  }
  return frozen;
}

void VectorIndex::Load(uint32_t shard, const FrozenShard& loaded) {
  if (shard >= options_.shards) RefuseArgument("shard " + std::to_string(shard) + " is not below " + std::to_string(options_.shards));
  std::vector<uint32_t> known;
  for (uint32_t ordinal : loaded.ordinals)
    if (ordinal != kNoOrdinalMark) known.push_back(ordinal);
  std::sort(known.begin(), known.end());
  if (std::adjacent_find(known.begin(), known.end()) != known.end()) RefuseArgument("an ordinal is named twice");
  std::lock_guard<std::mutex> lock(mutex_);
  if (Set().shards[shard].graph != nullptr || Set().shards[shard].fresh->size() != 0 || writers_[shard].building) RefuseArgument("the shard is not empty");
  for (uint32_t ordinal : known)
    if (ordinal < ordinals_.size() && ordinals_[ordinal].shard != 0) RefuseArgument("ordinal " + std::to_string(ordinal) + " is in use already");
  table_.Reserve(known.data(), static_cast<uint32_t>(known.size()), true);
  if (!known.empty() && ordinals_.size() <= known.back()) ordinals_.resize(size_t{known.back()} + 1);

  ShardState next{nullptr, std::make_shared<FreshList>()};
  std::vector<int32_t> node_of_row(loaded.ordinals.size(), kNoNode);
  if (loaded.graph != nullptr) {
    next.graph = std::make_shared<ShardGraph>();
    ShardGraph& graph = *next.graph;
    graph.graph = loaded.graph;
    graph.built = loaded.built;
    if (options_.metric == Metric::kInnerProduct)
      graph.longest = LengthOrder(loaded.ordinals, loaded.rows.data(), loaded.stride, kNoOrdinalMark, options_.longest_share);
    graph.bucket_stride = loaded.stride;
    graph.bucket_rows = AlignedArray<float>(loaded.bucket_rows.size());
    std::memcpy(graph.bucket_rows.data(), loaded.bucket_rows.data(), loaded.bucket_rows.bytes());
    graph.bucket_start.push_back(0);
    for (size_t bucket = 0; bucket + 1 < loaded.bucket_start.size(); bucket++) {
      for (uint32_t i = loaded.bucket_start[bucket]; i < loaded.bucket_start[bucket + 1]; i++)
        if (loaded.ordinals[loaded.bucket_members[i]] != kNoOrdinalMark) graph.bucket_members.push_back(loaded.ordinals[loaded.bucket_members[i]]);
      graph.bucket_start.push_back(static_cast<uint32_t>(graph.bucket_members.size()));
    }
    for (uint32_t node = 0; node < loaded.row_of_node.size(); node++) {
      const uint32_t owner = loaded.row_of_node[node];
      if (owner & kBucketBit) {
        const uint32_t bucket = owner & ~kBucketBit;
        for (uint32_t i = loaded.bucket_start[bucket]; i < loaded.bucket_start[bucket + 1]; i++) node_of_row[loaded.bucket_members[i]] = static_cast<int32_t>(node);
        graph.owner_of_node.push_back(owner);
      } else {
        graph.owner_of_node.push_back(owner == kNoOrdinalMark ? kNoOrdinalMark : loaded.ordinals[owner]);
        if (owner != kNoOrdinalMark) node_of_row[owner] = static_cast<int32_t>(node);
      }
    }
  }
  next.fresh->Reserve(static_cast<uint32_t>(known.size()));
  for (uint32_t row = 0; row < loaded.ordinals.size(); row++) {
    const uint32_t ordinal = loaded.ordinals[row];
    if (ordinal == kNoOrdinalMark) continue;
    ordinals_[ordinal].shard = static_cast<uint8_t>(shard + 1);
    table_.Put(ordinal, loaded.Row(row));
    writers_[shard].rows++;
    const int32_t node = node_of_row[row];
    if (node == kNoNode || next.graph->built.Drifted(static_cast<uint32_t>(node), loaded.Row(row), drift_limit_)) next.fresh->Append({ordinal, node});
  }
  ReplaceShard(shard, std::move(next));
  table_.EndBatch();
}

}  // namespace kindred
