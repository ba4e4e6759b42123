// The way of a shard's next graph: freeze, build, catch up, verify, publish.
#include <algorithm>
#include <random>

#include "node_layout.h"
#include "staged_graph.h"
#include "vector_index.h"

namespace kindred {

namespace {

// The epoch is not held for longer than so many rows take to copy.
constexpr size_t kRowsPerGuard = 4096;
// What is left of the journal when the writer is made to wait for the rest.
constexpr size_t kShortJournal = 1024;
constexpr int kMostCatchUps = 16;

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
  staged->graph_->graph = BuildGraph(std::move(rows), nodes, stride, params, cancelled);
  if (staged->graph_->graph == nullptr) return nullptr;
  staged->places_.reserve(ordinals.size());
  staged->graph_->ForEachOrdinal([&](uint32_t ordinal, uint32_t node) { staged->places_.push_back({ordinal, static_cast<int32_t>(node)}); });
  std::sort(staged->places_.begin(), staged->places_.end());
  CatchUp(*staged);
  return staged;
}

void VectorIndex::RefuseBehind(const StagedGraph& staged) {
  if (staged.behind_) throw IndexError("SHARD_UNVERIFIED", "memory was refused while the graph followed changes; build it anew");
}

void VectorIndex::CatchUp(StagedGraph& staged) {
  for (int i = 0; i < kMostCatchUps; i++) {
    std::vector<uint32_t> changed;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      changed.swap(writers_[staged.shard_].journal);
      for (uint32_t ordinal : changed) ordinals_[ordinal].dirty = false;
    }
    // The journal knows them no more.
    staged.behind_ = true;
    NoteChanged(staged, changed);
    staged.behind_ = false;
    if (changed.size() < kShortJournal) return;
  }
}

// Where memory is refused it may be called again with the same: who was noted is not noted twice.
void VectorIndex::NoteChanged(StagedGraph& staged, const std::vector<uint32_t>& ordinals) {
  std::vector<float> vector(table_.padded_dims());
  staged.fresh_->Reserve(static_cast<uint32_t>(ordinals.size()));
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
      staged.is_fresh_.Add(ordinal);
      staged.fresh_->Append({ordinal, placed ? place->node : kNoNode});
    }
  }
}

MeasuredRecall VectorIndex::Verify(StagedGraph& staged, uint32_t samples, uint32_t k, uint32_t ef, uint64_t seed, const std::atomic<bool>& cancelled) {
  std::lock_guard<std::mutex> one(staged.mutex_);
  if (staged.published_) RefuseArgument("the graph is published already");
  RefuseBehind(staged);
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
  RecallSum sum;
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
    if (!ScanList(table_, {queries.data(), count}, members.data(), members.size(), all, deadline, exact.data())) return {};
    for (uint32_t q = 0; q < count; q++) {
      TopK found;
      found.Reset(k);
      Progress progress;
      SearchShard(state, queries.data() + size_t{q} * table_.padded_dims(), width, all, deadline, found, progress);
      sum.Add(RecallOf(exact[q].Sorted(), found.Sorted()), progress.walked);
    }
  }
  MeasuredRecall measured = sum.Result();
  // Nobody left to ask: nothing that could be found wrongly.
  if (measured.queries == 0) measured.recall = 1;
  staged.recall_ = measured.recall;
  return measured;
}

void VectorIndex::Publish(StagedGraph& staged, double min_recall) {
  std::lock_guard<std::mutex> one(staged.mutex_);
  if (staged.published_) RefuseArgument("the graph is published already");
  if (staged.index_.get() != this) RefuseArgument("the graph was staged by another index");
  RefuseBehind(staged);
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

}  // namespace kindred
