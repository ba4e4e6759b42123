// The way of a shard's next graph: freeze, build, catch up, verify, publish; and shards to and from files.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "frozen_shard.h"
#include "staged_graph.h"
#include "vector_index.h"

namespace kindred {

namespace {

// The epoch is not held for longer than so many rows take to copy.
constexpr size_t kRowsPerGuard = 4096;
// What is left of the journal when the writer is made to wait for the rest.
constexpr size_t kShortJournal = 1024;
constexpr int kMostCatchUps = 16;

// Rows that point the same way to four digits fall together, but for those at the edge of rounding.
uint64_t DirectionHash(const float* row, uint32_t dims) {
  double norm = 0;
  for (uint32_t i = 0; i < dims; i++) norm += static_cast<double>(row[i]) * row[i];
  const float scale = static_cast<float>(1e4 / std::sqrt(norm > 0 ? norm : 1));
  uint64_t hash = 1469598103934665603ull ^ static_cast<uint64_t>(std::llrint(std::log2(norm > 0 ? norm : 1) * 1e4));
  for (uint32_t i = 0; i < dims; i++) {
    hash ^= static_cast<uint32_t>(std::lrintf(row[i] * scale));
    hash *= 1099511628211ull;
    hash ^= hash >> 29;
  }
  return hash;
}

bool Same(const float* a, const float* b, uint32_t dims) {
  float apart = 0, norm = 0;
  for (uint32_t i = 0; i < dims; i++) {
    apart += (a[i] - b[i]) * (a[i] - b[i]);
    norm += a[i] * a[i];
  }
  return apart <= 1e-6f * norm;
}

// By inner product alone, long vectors take all links and the short ones are never reached; by cosine alone, a walk finds
// no way from a short vector to a long one. Links are chosen between the two: by products of rows scaled to
// |x|^(1 - p). Tried with p = 0, .5, .65, .75, .85, 1 at 8,000 rows, k = 50, ef = 128: recall .87, .90, .93, .95, .96, .98
// where lengths differ 40 times, .88, .93, .95, .95, .97, .85 where they are log-normal, .94, .98, .99, .99, .99, .98 where
// they hardly differ. Searches go by true products, whatever the links.
constexpr double kLengthPower = 0.85;

void EvenOutLengths(AlignedArray<float>& rows, uint32_t count, uint32_t stride) {
  for (uint32_t i = 0; i < count; i++) {
    float* row = &rows[size_t{i} * stride];
    double norm = 0;
    for (uint32_t d = 0; d < stride; d++) norm += static_cast<double>(row[d]) * row[d];
    const float scale = static_cast<float>(std::pow(norm, -kLengthPower / 2));
    for (uint32_t d = 0; d < stride; d++) row[d] *= scale;
  }
}

// For each row the bucket it belongs to, or -1.
std::vector<int32_t> FindBuckets(const AlignedArray<float>& rows, size_t count, uint32_t stride, uint32_t dims, uint32_t* buckets) {
  std::vector<std::pair<uint64_t, uint32_t>> hashes(count);
  for (size_t i = 0; i < count; i++) hashes[i] = {DirectionHash(&rows[i * stride], dims), static_cast<uint32_t>(i)};
  std::sort(hashes.begin(), hashes.end());
  std::vector<int32_t> bucket_of(count, -1);
  std::vector<uint32_t> members;
  *buckets = 0;
  for (size_t at = 0; at < count;) {
    const float* first = &rows[hashes[at].second * size_t{stride}];
    const uint64_t hash = hashes[at].first;
    members.clear();
    for (; at < count && hashes[at].first == hash; at++)
      if (Same(first, &rows[hashes[at].second * size_t{stride}], dims)) members.push_back(hashes[at].second);
    if (members.size() < kBucketFrom) continue;
    for (uint32_t row : members) bucket_of[row] = static_cast<int32_t>(*buckets);
    (*buckets)++;
  }
  return bucket_of;
}

// Nodes in the order of their (first) ordinals; `rows` is compacted to one row a node.
std::shared_ptr<ShardGraph> LayOutNodes(const std::vector<uint32_t>& ordinals, AlignedArray<float>& rows, uint32_t stride, uint32_t dims) {
  auto shard = std::make_shared<ShardGraph>();
  uint32_t buckets = 0;
  const std::vector<int32_t> bucket_of = FindBuckets(rows, ordinals.size(), stride, dims, &buckets);
  shard->bucket_stride = stride;
  shard->bucket_rows = AlignedArray<float>(size_t{buckets} * stride);
  shard->bucket_start.assign(buckets + 1, 0);
  for (int32_t bucket : bucket_of)
    if (bucket >= 0) shard->bucket_start[static_cast<uint32_t>(bucket) + 1]++;
  for (uint32_t i = 0; i < buckets; i++) shard->bucket_start[i + 1] += shard->bucket_start[i];
  shard->bucket_members.resize(shard->bucket_start[buckets]);
  std::vector<uint32_t> filled(shard->bucket_start.begin(), shard->bucket_start.end() - 1);
  uint32_t nodes = 0;
  for (size_t i = 0; i < ordinals.size(); i++) {
    uint32_t owner = ordinals[i];
    const float* row = &rows[i * stride];
    if (bucket_of[i] >= 0) {
      const uint32_t bucket = static_cast<uint32_t>(bucket_of[i]);
      const bool first = filled[bucket] == shard->bucket_start[bucket];
      shard->bucket_members[filled[bucket]++] = ordinals[i];
      if (!first) continue;
      std::memcpy(&shard->bucket_rows[size_t{bucket} * stride], row, stride * sizeof(float));
      owner = kBucketBit | bucket;
    }
    shard->owner_of_node.push_back(owner);
    if (size_t{nodes} != i) std::memcpy(&rows[size_t{nodes} * stride], row, stride * sizeof(float));
    nodes++;
  }
  shard->built = BuiltVectors(nodes, dims);
  for (uint32_t node = 0; node < nodes; node++) shard->built.Set(node, &rows[size_t{node} * stride]);
  return shard;
}

}  // namespace

void VectorIndex::CopyRows(std::vector<uint32_t>& ordinals, AlignedArray<float>& rows) {
  const uint32_t stride = table_.padded_dims();
  rows = AlignedArray<float>(std::max<size_t>(ordinals.size(), 1) * stride);
  size_t kept = 0;
  for (size_t at = 0; at < ordinals.size(); at += kRowsPerGuard) {
    EpochGuard guard(epochs_);
    for (size_t i = at; i < std::min(at + kRowsPerGuard, ordinals.size()); i++) {
      const void* row = table_.Row(ordinals[i]);
      if (row == nullptr) continue;
      table_.kernels().load(row, stride, &rows[kept * stride]);
      ordinals[kept++] = ordinals[i];
    }
  }
  ordinals.resize(kept);
}

std::shared_ptr<StagedGraph> VectorIndex::Stage(uint32_t shard, const BuildParams& params, const std::atomic<bool>& cancelled) {
  if (shard >= options_.shards) RefuseArgument("shard " + std::to_string(shard) + " is not below " + std::to_string(options_.shards));
  if (params.m < 2 || params.m > 64) RefuseArgument("m is from 2 to 64");
  if (params.ef_construction < 8 || params.ef_construction > 2000) RefuseArgument("efConstruction is from 8 to 2000");
  std::vector<uint32_t> ordinals;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (writers_[shard].building) RefuseArgument("shard " + std::to_string(shard) + " is being built already");
    ordinals = OrdinalsOf(shard);
    if (ordinals.empty()) RefuseArgument("shard " + std::to_string(shard) + " has no vectors");
    writers_[shard].building = true;
  }
  std::shared_ptr<StagedGraph> staged;
  try {
    staged = std::make_shared<StagedGraph>(shared_from_this(), shard);
  } catch (...) {
    AbandonBuild(shard);
    throw;
  }
  AlignedArray<float> rows;
  CopyRows(ordinals, rows);
  if (ordinals.empty()) RefuseArgument("shard " + std::to_string(shard) + " has no vectors");
  const uint32_t stride = table_.padded_dims();
  LengthOrder longest;
  if (options_.metric == Metric::kInnerProduct) longest = LengthOrder(ordinals, rows.data(), stride, kNoOrdinalMark, options_.longest_share);
  staged->graph_ = LayOutNodes(ordinals, rows, stride, options_.dims);
  staged->graph_->longest = std::move(longest);
  const uint32_t nodes = static_cast<uint32_t>(staged->graph_->owner_of_node.size());
  if (options_.metric == Metric::kInnerProduct) EvenOutLengths(rows, nodes, stride);
  staged->graph_->graph = BuildGraph({rows.data(), nodes, stride}, params, cancelled);
  if (staged->graph_->graph == nullptr) return nullptr;
  staged->places_.reserve(ordinals.size());
  staged->graph_->ForEachOrdinal([&](uint32_t ordinal, uint32_t node) { staged->places_.push_back({ordinal, static_cast<int32_t>(node)}); });
  std::sort(staged->places_.begin(), staged->places_.end());
  CatchUp(*staged);
  return staged;
}

void VectorIndex::CatchUp(StagedGraph& staged) {
  for (int i = 0; i < kMostCatchUps; i++) {
    std::vector<uint32_t> changed;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      changed.swap(writers_[staged.shard_].journal);
      for (uint32_t ordinal : changed) ordinals_[ordinal].dirty = false;
    }
    NoteChanged(staged, changed);
    if (changed.size() < kShortJournal) return;
  }
}

void VectorIndex::NoteChanged(StagedGraph& staged, const std::vector<uint32_t>& ordinals) {
  std::vector<float> vector(table_.padded_dims());
  for (size_t at = 0; at < ordinals.size(); at += kRowsPerGuard) {
    EpochGuard guard(epochs_);
    for (size_t i = at; i < std::min(at + kRowsPerGuard, ordinals.size()); i++) {
      const uint32_t ordinal = ordinals[i];
      const auto place = std::lower_bound(staged.places_.begin(), staged.places_.end(), StagedGraph::Place{ordinal, 0});
      const bool placed = place != staged.places_.end() && place->ordinal == ordinal;
      const void* row = table_.Row(ordinal);
      if (row == nullptr) {
        if (placed && !(staged.graph_->owner_of_node[static_cast<uint32_t>(place->node)] & kBucketBit)) staged.graph_->built.Clear(static_cast<uint32_t>(place->node));
        continue;
      }
      if (staged.is_fresh_.Has(ordinal)) continue;
      table_.kernels().load(row, table_.padded_dims(), vector.data());
      if (placed && !staged.graph_->built.Drifted(static_cast<uint32_t>(place->node), vector.data(), drift_limit_)) continue;
      staged.fresh_->Append({ordinal, placed ? place->node : kNoNode});
      staged.is_fresh_.Add(ordinal);
    }
  }
}

double VectorIndex::Verify(StagedGraph& staged, uint32_t samples, uint32_t k, uint32_t ef, uint64_t seed, const std::atomic<bool>& cancelled) {
  std::lock_guard<std::mutex> one(staged.mutex_);
  if (staged.published_) RefuseArgument("the graph is published already");
  CatchUp(staged);
  std::vector<uint32_t> members;
  members.reserve(staged.places_.size());
  for (const auto& place : staged.places_) members.push_back(place.ordinal);
  staged.fresh_->ForEach([&](const FreshEntry& entry) {
    if (entry.node == kNoNode) members.push_back(entry.ordinal);
    return true;
  });
  const Deadline deadline = Deadline().Or(&cancelled);
  const OrdinalFilter all;
  const ShardState state{staged.graph_, staged.fresh_};
  const uint32_t width = std::max(ef == 0 ? default_ef() : ef, k);
  std::mt19937_64 random(seed);
  double sum = 0;
  uint32_t asked = 0;
  constexpr uint32_t kTogether = 16;
  for (uint32_t at = 0; at < samples; at += kTogether) {
    EpochGuard guard(epochs_);
    std::vector<float> queries;
    for (uint32_t tried = 0; tried < 4 * kTogether && queries.size() < size_t{kTogether} * table_.padded_dims(); tried++) {
      const void* row = table_.Row(members[random() % members.size()]);
      if (row == nullptr) continue;
      queries.resize(queries.size() + table_.padded_dims());
      table_.kernels().load(row, table_.padded_dims(), queries.data() + queries.size() - table_.padded_dims());
    }
    const uint32_t count = static_cast<uint32_t>(queries.size() / table_.padded_dims());
    std::vector<TopK> exact(count);
    for (TopK& top : exact) top.Reset(k);
    if (!ScanList(table_, {queries.data(), count}, members.data(), members.size(), all, deadline, exact.data())) return -1;
    for (uint32_t q = 0; q < count; q++) {
      TopK found;
      found.Reset(k);
      bool degraded = false;
      SearchShard(state, queries.data() + size_t{q} * table_.padded_dims(), width, all, deadline, found, degraded);
      sum += RecallOf(exact[q].Sorted(), found.Sorted());
      asked++;
    }
  }
  // Nobody left to ask: nothing that could be found wrongly.
  staged.recall_ = asked == 0 ? 1 : sum / asked;
  return staged.recall_;
}

void VectorIndex::Publish(StagedGraph& staged, double min_recall) {
  std::lock_guard<std::mutex> one(staged.mutex_);
  if (staged.published_) RefuseArgument("the graph is published already");
  if (staged.index_.get() != this) RefuseArgument("the graph was staged by another index");
  if (!(staged.recall_ >= 0)) throw IndexError("SHARD_UNVERIFIED", "the graph was not verified");
  if (!(staged.recall_ >= min_recall))
    throw IndexError("SHARD_UNVERIFIED", "recall " + std::to_string(staged.recall_) + " is below " + std::to_string(min_recall));
  CatchUp(staged);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ShardWriter& writer = writers_[staged.shard_];
    NoteChanged(staged, writer.journal);
    ReplaceShard(staged.shard_, {staged.graph_, staged.fresh_});
    for (uint32_t ordinal : writer.journal) ordinals_[ordinal].dirty = false;
    std::vector<uint32_t>().swap(writer.journal);
    writer.building = false;
    staged.published_ = true;
    staged.graph_.reset();
    staged.fresh_.reset();
    swaps_.fetch_add(1, std::memory_order_relaxed);
  }
  std::vector<StagedGraph::Place>().swap(staged.places_);
  staged.index_.reset();
  epochs_.Collect();
}

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
