// One generation's vectors, searchable: the live table, the shards' graphs over it, and the two sides that use them.
// Searches run on any thread and never wait. Writers (upsert, remove, publish) come one at a time, by a mutex.
//
// Invariant that both sides rely on: every ordinal with a vector is an owner or a member in its shard's graph with a
// vector not far from what the graph was built with, or it is in its shard's fresh list.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "coded_error.h"
#include "deadline.h"
#include "epoch.h"
#include "exact_scan.h"
#include "graph_walk.h"
#include "hnsw_builder.h"
#include "measured_recall.h"
#include "query_sample.h"
#include "shard_graph.h"
#include "vector_table.h"

namespace kindred {

enum class Metric : uint8_t { kCosine = 0, kInnerProduct = 1 };

struct IndexOptions {
  uint32_t dims = 0;  // 1..4,096
  Metric metric = Metric::kCosine;
  Storage storage = Storage::kFloat32;
  uint32_t shards = 1;  // 1..255
  // A user whose vector has less than this cosine to the one in the graph (or has changed as much in length) is fresh.
  float drift_cosine = 0.9f;
  uint32_t default_ef = 128;
  // A walk is replaced by an exact scan where the table has fewer than so many rows for each unit of ef: there the scan
  // is as fast, and exact. 0: always walk.
  uint32_t scan_rows_per_ef = 100;
  // Under inner product: this share of a graph's rows, the longest, is scanned before it is walked, see LengthOrder. 0: never.
  float longest_share = 0.03125f;
  // Which generation the vectors belong to; only carried for those who attach.
  uint32_t generation = 0;
};

constexpr uint32_t kMaxDims = 4096, kMaxK = 10000, kMaxEf = 10000, kMaxShards = 255;

struct SearchRequest {
  std::vector<float> queries;  // count x dims; empty: the vector of `from`
  uint32_t count = 1;
  uint32_t from = 0;
  uint32_t k = 0, ef = 0;  // ef 0: the index's own
  bool exact = false;
  bool has_allow = false;
  std::vector<uint32_t> exclude, allow;
  Deadline deadline;
};

struct SearchAnswer {
  std::vector<std::vector<Scored>> found;  // for each query, best first
  bool degraded = false;
};

// The share of `exact` that `found` has as good ones for: ties count, whoever holds them.
double RecallOf(const std::vector<Scored>& exact, const std::vector<Scored>& found);

struct ShardStats {
  uint32_t rows = 0;     // with a vector
  uint32_t nodes = 0;    // of the graph
  uint32_t fresh = 0;    // entries of the fresh list
  uint32_t drifted = 0;  // of these, in the graph elsewhere
  uint32_t removed = 0;  // in the graph without a vector
  uint32_t changed = 0;  // vectors written since the swap
  bool building = false;
};

struct IndexStats {
  std::vector<ShardStats> shards;
  uint32_t size = 0, buckets = 0, bucket_members = 0;
  size_t table_bytes = 0, graph_bytes = 0, fresh_bytes = 0, writer_bytes = 0;
  uint32_t limbo_slots = 0;
  size_t retired_sets = 0;
  uint32_t swaps = 0;
};

class StagedGraph;
class FrozenShard;

class VectorIndex : public std::enable_shared_from_this<VectorIndex> {
 public:
  // Throws IndexError INVALID_ARGUMENT.
  explicit VectorIndex(const IndexOptions& options);
  ~VectorIndex();
  VectorIndex(const VectorIndex&) = delete;
  VectorIndex& operator=(const VectorIndex&) = delete;

  const IndexOptions& options() const { return options_; }
  uint32_t size() const { return table_.size(); }
  const char* kernel() const { return table_.kernels().name; }
  uint32_t default_ef() const { return default_ef_.load(std::memory_order_relaxed); }
  void set_default_ef(uint32_t ef) { default_ef_.store(ef, std::memory_order_relaxed); }

  // ---- any thread ----
  SearchAnswer Search(const SearchRequest& request);
  // dims floats; false where the ordinal has no vector.
  bool Vector(uint32_t ordinal, float* out);
  // recall@k of searches as they come, against exact scans of the same moment: of the newest queries that were in no
  // measurement yet, filled up with stored vectors to `samples`. On this thread alone.
  MeasuredRecall MeasureRecall(uint32_t samples, uint32_t k, uint32_t ef, uint64_t seed, const std::atomic<bool>& cancelled);
  IndexStats Stats();
  // Frees what no reader holds any more.
  void Collect() { epochs_.Collect(); }

  // ---- the writer ----
  // All or nothing. Rows of zeros remove.
  void Upsert(const uint32_t* ordinals, uint32_t count, const float* vectors);
  void Remove(const uint32_t* ordinals, uint32_t count);

  // ---- builders, see staged_graph.h and frozen_shard.h ----
  // A shard's next graph from a frozen copy of its vectors. Null when cancelled. One at a time for each shard.
  std::shared_ptr<StagedGraph> Stage(uint32_t shard, const BuildParams& params, const std::atomic<bool>& cancelled);
  MeasuredRecall Verify(StagedGraph& staged, uint32_t samples, uint32_t k, uint32_t ef, uint64_t seed, const std::atomic<bool>& cancelled);
  // Throws IndexError SHARD_UNVERIFIED where Verify did not find at least `min_recall`; the old graph goes on.
  void Publish(StagedGraph& staged, double min_recall);
  std::shared_ptr<FrozenShard> Freeze(uint32_t shard);
  // A shard from files, into an index that is empty but for shards loaded before.
  // kNoOrdinalMark in its ordinals: the owner is no longer known, the row is left out.
  void Load(uint32_t shard, const FrozenShard& loaded);

 private:
  friend class StagedGraph;

  // What the writer knows of an ordinal.
  struct OrdinalState {
    int32_t node = kNoNode;  // in the graph of its shard
    uint8_t shard = 0;       // from 1; 0: none yet
    bool fresh = false;      // in its shard's list
    bool dirty = false;      // in its shard's journal
  };
  // Who changed while the shard's next graph is built.
  struct ShardWriter {
    bool building = false;
    std::vector<uint32_t> journal;
    uint32_t rows = 0, removed = 0, drifted = 0, changed = 0;
  };

  // Readers.
  const ShardSet& Set() const { return *set_.load(std::memory_order_acquire); }
  std::vector<float> Padded(const float* vector, bool normalise) const;
  // What a search has come to.
  struct Progress {
    bool degraded = false;
    bool walked = false;  // over a graph; else everything was scanned, whatever ef is
    int64_t scores_left = INT64_MAX;  // of its walks together
  };
  Progress SearchOne(const float* query, uint32_t ef, const OrdinalFilter& filter, const Deadline& deadline, TopK& top);
  bool SearchShard(const ShardState& shard, const float* query, uint32_t ef, const OrdinalFilter& filter, const Deadline& deadline, TopK& top, Progress& progress);
  void ScanAllowed(const float* query, const OrdinalFilter& filter, const Deadline& deadline, TopK& top, Progress& progress) const;
  bool ScansAll(uint32_t ef) const;
  bool AllowListIsShort(size_t allowed, uint32_t ef) const;

  // The writer, with mutex_ held.
  void ReserveFor(const uint32_t* ordinals, uint32_t count);
  void PutOne(uint32_t ordinal, const float* padded);
  void RemoveOne(uint32_t ordinal);
  void Journal(uint32_t ordinal, OrdinalState& state);
  uint32_t ShardOf(uint32_t ordinal) const;
  void ReplaceShard(uint32_t shard, ShardState next);
  void AdoptGraph(uint32_t shard, const ShardState& next);
  void AbandonBuild(uint32_t shard);
  std::vector<uint32_t> OrdinalsOf(uint32_t shard) const;

  // Builders. Ordinals that have lost their vector meanwhile are taken out of the list.
  void CopyRows(std::vector<uint32_t>& ordinals, AlignedArray<float>& rows);
  void CatchUp(StagedGraph& staged);
  static void RefuseBehind(const StagedGraph& staged);
  void NoteChanged(StagedGraph& staged, const std::vector<uint32_t>& ordinals);

  const IndexOptions options_;
  const float drift_limit_;
  EpochDomain epochs_;
  VectorTable table_;
  std::atomic<const ShardSet*> set_;
  std::atomic<uint32_t> default_ef_;
  std::atomic<uint32_t> swaps_{0};
  QuerySample sample_;

  std::mutex mutex_;
  std::vector<OrdinalState> ordinals_;
  std::vector<ShardWriter> writers_;
  std::vector<float> row_;  // padded scratch
};

}  // namespace kindred
