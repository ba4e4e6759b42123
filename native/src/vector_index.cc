// Construction and the writer's side; searches are in vector_index_search.cc, builds in vector_index_build.cc, the way to and
// from files in vector_index_files.cc.
#include "vector_index.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace kindred {

namespace {

IndexOptions Checked(const IndexOptions& options) {
  if (options.dims < 1 || options.dims > kMaxDims) RefuseArgument("dims is from 1 to 4096");
  if (options.shards < 1 || options.shards > kMaxShards) RefuseArgument("shards is from 1 to 255");
  if (!(options.drift_cosine >= -1 && options.drift_cosine <= 1)) RefuseArgument("driftCosine is from -1 to 1");
  if (options.default_ef < 1 || options.default_ef > kMaxEf) RefuseArgument("ef is from 1 to 10000");
  return options;
}

// Products of two such numbers, 4,096 of them added up, stay finite.
constexpr float kMostMagnitude = 1e15f;
constexpr float kMostHalf = 65504.f;

}  // namespace

VectorIndex::VectorIndex(const IndexOptions& options)
    : options_(Checked(options)),
      drift_limit_(2 * (1 - options.drift_cosine)),
      table_(options.dims, options.storage, epochs_),
      set_(nullptr),
      default_ef_(options.default_ef),
      writers_(options.shards),
      row_(table_.padded_dims(), 0.f) {
  auto set = std::make_unique<ShardSet>();
  set->shards.resize(options.shards);
  for (ShardState& shard : set->shards) shard.fresh = std::make_shared<FreshList>();
  set_.store(set.release());
}

VectorIndex::~VectorIndex() { delete set_.load(); }

void VectorIndex::Upsert(const uint32_t* ordinals, uint32_t count, const float* vectors) {
  const float most = options_.metric == Metric::kCosine ? 3.4e38f : options_.storage == Storage::kFloat16 ? kMostHalf : kMostMagnitude;
  for (size_t i = 0; i < size_t{count} * options_.dims; i++)
    if (!(std::fabs(vectors[i]) <= most)) RefuseArgument("row " + std::to_string(i / options_.dims) + " holds a number that is not finite or too large");
  std::lock_guard<std::mutex> lock(mutex_);
  ReserveFor(ordinals, count);
  for (uint32_t i = 0; i < count; i++) {
    const float* vector = vectors + size_t{i} * options_.dims;
    double norm = 0;
    for (uint32_t d = 0; d < options_.dims; d++) norm += static_cast<double>(vector[d]) * vector[d];
    if (norm == 0) {
      RemoveOne(ordinals[i]);
      continue;
    }
    const double scale = options_.metric == Metric::kCosine ? 1 / std::sqrt(norm) : 1;
    for (uint32_t d = 0; d < options_.dims; d++) row_[d] = static_cast<float>(vector[d] * scale);
    PutOne(ordinals[i], row_.data());
  }
  table_.EndBatch();
}

void VectorIndex::Remove(const uint32_t* ordinals, uint32_t count) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (ShardWriter& writer : writers_)
    if (writer.building) writer.journal.reserve(writer.journal.size() + count);
  for (uint32_t i = 0; i < count; i++) RemoveOne(ordinals[i]);
  table_.EndBatch();
}

// After this, PutOne and RemoveOne for these cannot fail.
void VectorIndex::ReserveFor(const uint32_t* ordinals, uint32_t count) {
  table_.Reserve(ordinals, count);
  const size_t limit = count == 0 ? 0 : size_t{*std::max_element(ordinals, ordinals + count)} + 1;
  if (ordinals_.size() < limit) {
    if (ordinals_.capacity() < limit) ordinals_.reserve(std::max(limit, ordinals_.size() * 3 / 2));
    ordinals_.resize(limit);
  }
  for (const ShardState& shard : Set().shards) shard.fresh->Reserve(count);
  for (ShardWriter& writer : writers_)
    if (writer.building && writer.journal.capacity() < writer.journal.size() + count) writer.journal.reserve(writer.journal.size() * 2 + count);
}

void VectorIndex::PutOne(uint32_t ordinal, const float* padded) {
  OrdinalState& state = ordinals_[ordinal];
  if (state.shard == 0) state.shard = static_cast<uint8_t>(1 + ShardOf(ordinal));
  const uint32_t shard = state.shard - 1u;
  const bool had = table_.Put(ordinal, padded);
  Journal(ordinal, state);
  const ShardState& now = Set().shards[shard];
  writers_[shard].changed++;
  if (!had) writers_[shard].rows++;
  if (!had && state.node != kNoNode) writers_[shard].removed--;
  if (state.fresh) return;
  const bool drifted = state.node != kNoNode;
  if (drifted && !now.graph->built.Drifted(static_cast<uint32_t>(state.node), padded, drift_limit_)) return;
  now.fresh->Append({ordinal, state.node});
  state.fresh = true;
  if (drifted) writers_[shard].drifted++;
}

void VectorIndex::RemoveOne(uint32_t ordinal) {
  if (!table_.Remove(ordinal)) return;
  OrdinalState& state = ordinals_[ordinal];
  Journal(ordinal, state);
  writers_[state.shard - 1u].rows--;
  if (state.node == kNoNode) return;
  writers_[state.shard - 1u].removed++;
  ShardGraph& graph = *Set().shards[state.shard - 1u].graph;
  // A bucket's code stands for all its members, and names none of them.
  if (!(graph.owner_of_node[static_cast<uint32_t>(state.node)] & kBucketBit)) graph.built.Clear(static_cast<uint32_t>(state.node));
}

void VectorIndex::Journal(uint32_t ordinal, OrdinalState& state) {
  ShardWriter& writer = writers_[state.shard - 1u];
  if (!writer.building || state.dirty) return;
  writer.journal.push_back(ordinal);
  state.dirty = true;
}

// By a hash: ordinals come in the order of arrival, and shards shall not differ in age. (Finaliser of MurmurHash3.)
uint32_t VectorIndex::ShardOf(uint32_t ordinal) const {
  uint32_t hash = ordinal;
  hash = (hash ^ (hash >> 16)) * 0x85ebca6bu;
  hash = (hash ^ (hash >> 13)) * 0xc2b2ae35u;
  return (hash ^ (hash >> 16)) % options_.shards;
}

// The one assignment that searches see.
void VectorIndex::ReplaceShard(uint32_t shard, ShardState next) {
  const ShardSet* old = set_.load(std::memory_order_relaxed);
  auto set = std::make_unique<ShardSet>(*old);
  set->shards[shard] = std::move(next);
  epochs_.Reserve();
  AdoptGraph(shard, set->shards[shard]);
  set_.store(set.release(), std::memory_order_release);
  epochs_.Retire([old] { delete old; });
}

// What the writer knows of the shard's ordinals, from the old graph to the next.
void VectorIndex::AdoptGraph(uint32_t shard, const ShardState& next) {
  const ShardState& old = Set().shards[shard];
  old.fresh->ForEach([&](const FreshEntry& entry) {
    ordinals_[entry.ordinal].fresh = false;
    return true;
  });
  if (old.graph != nullptr) old.graph->ForEachOrdinal([&](uint32_t ordinal, uint32_t) { ordinals_[ordinal].node = kNoNode; });
  ShardWriter& writer = writers_[shard];
  writer.removed = writer.drifted = writer.changed = 0;
  if (next.graph != nullptr) {
    next.graph->ForEachOrdinal([&](uint32_t ordinal, uint32_t node) {
      ordinals_[ordinal].node = static_cast<int32_t>(node);
      if (table_.SlotOf(ordinal) == 0) writer.removed++;
    });
  }
  next.fresh->ForEach([&](const FreshEntry& entry) {
    ordinals_[entry.ordinal].fresh = true;
    if (entry.node != kNoNode) writer.drifted++;
    return true;
  });
}

void VectorIndex::AbandonBuild(uint32_t shard) {
  std::lock_guard<std::mutex> lock(mutex_);
  ShardWriter& writer = writers_[shard];
  for (uint32_t ordinal : writer.journal) ordinals_[ordinal].dirty = false;
  std::vector<uint32_t>().swap(writer.journal);
  writer.building = false;
}

std::vector<uint32_t> VectorIndex::OrdinalsOf(uint32_t shard) const {
  std::vector<uint32_t> found;
  for (uint32_t ordinal = 0; ordinal < ordinals_.size(); ordinal++)
    if (ordinals_[ordinal].shard == shard + 1 && table_.SlotOf(ordinal) != 0) found.push_back(ordinal);
  return found;
}

IndexStats VectorIndex::Stats() {
  const size_t retired = epochs_.Collect();
  std::lock_guard<std::mutex> lock(mutex_);
  table_.Reclaim();
  IndexStats stats;
  stats.size = table_.size();
  stats.retired_sets = retired;
  for (size_t i = 0; i < writers_.size(); i++) {
    const ShardState& shard = Set().shards[i];
    const ShardWriter& writer = writers_[i];
    ShardStats one;
    one.rows = writer.rows;
    one.fresh = shard.fresh->size();
    one.drifted = writer.drifted;
    one.removed = writer.removed;
    one.changed = writer.changed;
    one.building = writer.building;
    stats.fresh_bytes += shard.fresh->MemoryBytes();
    stats.writer_bytes += writer.journal.capacity() * sizeof(uint32_t);
    if (shard.graph != nullptr) {
      one.nodes = shard.graph->nodes();
      stats.buckets += shard.graph->buckets();
      stats.bucket_members += static_cast<uint32_t>(shard.graph->bucket_members.size());
      stats.graph_bytes += shard.graph->MemoryBytes();
    }
    stats.shards.push_back(one);
  }
  stats.writer_bytes += ordinals_.capacity() * sizeof(OrdinalState);
  stats.table_bytes = table_.MemoryBytes();
  stats.limbo_slots = table_.LimboSlots();
  stats.swaps = swaps_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace kindred
