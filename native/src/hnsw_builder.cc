#include "hnsw_builder.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/impl/DistanceComputer.h>
#include <faiss/impl/io.h>
#include <faiss/index_io.h>
#include <omp.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "coded_error.h"
#include "kernels.h"

namespace kindred {

namespace {

// Faiss wants less to be nearer.
class NegatedProducts final : public faiss::DistanceComputer {
 public:
  NegatedProducts(const FrozenRows& rows) : rows_(rows), kernels_(KernelsFor(Storage::kFloat32)) {}
  void set_query(const float* query) override { query_ = query; }
  float operator()(idx_t i) override { return Negated(query_, i); }
  float symmetric_dis(idx_t i, idx_t j) override { return Negated(rows_.Row(static_cast<uint32_t>(i)), j); }

 private:
  float Negated(const float* query, idx_t i) const {
    const void* row = rows_.Row(static_cast<uint32_t>(i));
    float score;
    kernels_.scores(query, &row, 1, rows_.stride, &score);
    return -score;
  }
  const FrozenRows& rows_;
  const Kernels& kernels_;
  const float* query_ = nullptr;
};

// One lock a node, as add_with_locks wants them.
class NodeLocks {
 public:
  explicit NodeLocks(size_t count) : locks_(count) {
    for (auto& lock : locks_) omp_init_lock(&lock);
  }
  ~NodeLocks() {
    for (auto& lock : locks_) omp_destroy_lock(&lock);
  }
  std::vector<omp_lock_t>& get() { return locks_; }

 private:
  std::vector<omp_lock_t> locks_;
};

// Nodes of high levels first, shuffled within a level (as Faiss's own hnsw_add_vertices does).
std::vector<int> InsertionOrder(const std::vector<int>& levels, uint64_t seed) {
  std::vector<int> order(levels.size());
  for (size_t i = 0; i < order.size(); i++) order[i] = static_cast<int>(i);
  std::mt19937_64 random(seed);
  for (size_t i = order.size(); i > 1; i--) std::swap(order[i - 1], order[random() % i]);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return levels[a] > levels[b]; });
  return order;
}

std::unique_ptr<HnswGraph> FromFaiss(const faiss::HNSW& hnsw, uint32_t m) {
  auto graph = std::make_unique<HnswGraph>(m, hnsw.levels, hnsw.entry_point, hnsw.max_level);
  for (uint32_t node = 0; node < graph->size(); node++) {
    for (int level = 0; level < hnsw.levels[node]; level++) {
      size_t begin, end;
      hnsw.neighbor_range(node, level, &begin, &end);
      std::copy(hnsw.neighbors.begin() + static_cast<ptrdiff_t>(begin), hnsw.neighbors.begin() + static_cast<ptrdiff_t>(end), graph->MutableNeighbors(node, level));
    }
  }
  return graph;
}

// Everything a walk relies on; a file may hold anything.
void CheckFaiss(const faiss::HNSW& hnsw, uint32_t nodes, uint32_t* m) {
  const auto refuse = [](const char* what) { throw IndexError("SHARD_CORRUPT", std::string("the graph ") + what); };
  if (hnsw.levels.size() != nodes || hnsw.offsets.size() != size_t{nodes} + 1) refuse("has another number of nodes");
  const auto& width = hnsw.cum_nneighbor_per_level;
  if (width.size() < 3 || width[0] != 0) refuse("has no widths");
  *m = static_cast<uint32_t>(width[2] - width[1]);
  if (*m < 2 || *m > 64 || static_cast<uint32_t>(width[1]) != 2 * *m) refuse("has widths out of range");
  for (size_t i = 2; i < width.size(); i++)
    if (static_cast<uint32_t>(width[i] - width[i - 1]) != *m) refuse("has uneven widths");
  if (hnsw.entry_point < 0 || static_cast<uint32_t>(hnsw.entry_point) >= nodes) refuse("has no entry");
  if (hnsw.max_level < 0 || hnsw.levels[hnsw.entry_point] != hnsw.max_level + 1) refuse("has an entry on a wrong level");
  for (uint32_t i = 0; i < nodes; i++) {
    if (hnsw.levels[i] < 1 || static_cast<size_t>(hnsw.levels[i]) >= width.size() || hnsw.levels[i] > hnsw.max_level + 1) refuse("has levels out of range");
    if (hnsw.offsets[i + 1] - hnsw.offsets[i] != static_cast<size_t>(width[hnsw.levels[i]])) refuse("has offsets out of order");
  }
  if (hnsw.offsets[0] != 0 || hnsw.offsets[nodes] != hnsw.neighbors.size()) refuse("has offsets outside of itself");
  for (uint32_t i = 0; i < nodes; i++) {
    for (int level = 0; level < hnsw.levels[i]; level++) {
      size_t begin, end;
      hnsw.neighbor_range(i, level, &begin, &end);
      for (size_t j = begin; j < end && hnsw.neighbors[j] != -1; j++) {
        const int to = hnsw.neighbors[j];
        if (to < -1 || static_cast<uint32_t>(to + 1) > nodes || hnsw.levels[to] <= level) refuse("points outside of itself");
      }
    }
  }
}

// Sizes in a file are believed as far as the file is long: one that is wrong must not become an allocation of terabytes.
class BoundedReader final : public faiss::IOReader {
 public:
  explicit BoundedReader(const std::string& path) : file_(std::fopen(path.c_str(), "rb")) {
    if (file_ == nullptr || std::fseek(file_, 0, SEEK_END) != 0) throw IndexError("SHARD_CORRUPT", "the graph cannot be read");
    left_ = static_cast<size_t>(std::ftell(file_));
    std::rewind(file_);
  }
  ~BoundedReader() override {
    if (file_ != nullptr) std::fclose(file_);
  }
  size_t operator()(void* into, size_t size, size_t count) override {
    const size_t got = std::fread(into, size, count, file_);
    left_ -= std::min(left_, got * size);
    // The length of a vector, or of the index, is a number of 8 bytes by itself. (Headers hold two that are always 2^20.)
    uint64_t number = 0;
    if (got == 1 && count == 1 && size == sizeof(number)) std::memcpy(&number, into, sizeof(number));
    if (number > std::max<size_t>(left_, 1u << 20)) throw IndexError("SHARD_CORRUPT", "the graph is shorter than it says");
    return got;
  }

 private:
  std::FILE* file_;
  size_t left_ = 0;
};

class SinkWriter final : public faiss::IOWriter {
 public:
  explicit SinkWriter(const std::function<void(const void*, size_t)>& write) : write_(write) {}
  size_t operator()(const void* from, size_t size, size_t count) override {
    write_(from, size * count);
    return count;
  }

 private:
  const std::function<void(const void*, size_t)>& write_;
};

}  // namespace

std::unique_ptr<HnswGraph> BuildGraph(AlignedArray<float> owned, uint32_t count, uint32_t stride, const BuildParams& params, const std::atomic<bool>& cancelled) {
  const FrozenRows rows{owned.data(), count, stride};
  // Faiss opens parallel regions of its own accord; on this thread they shall be of one.
  omp_set_num_threads(1);
  faiss::HNSW hnsw(static_cast<int>(params.m));
  hnsw.efConstruction = static_cast<int>(params.ef_construction);
  hnsw.rng = faiss::RandomGenerator(static_cast<int64_t>(params.seed));
  hnsw.prepare_level_tab(rows.count, false);
  // prepare_level_tab raises max_level, but the walk of an insertion begins at the entry: it is set by the first one.
  hnsw.max_level = -1;
  hnsw.entry_point = -1;
  NodeLocks locks(rows.count);
  faiss::VisitedTable visited(static_cast<int>(rows.count));
  NegatedProducts distances(rows);
  uint32_t added = 0;
  for (int node : InsertionOrder(hnsw.levels, params.seed)) {
    if (added++ % 64 == 0 && cancelled.load(std::memory_order_relaxed)) return nullptr;
    distances.set_query(rows.Row(static_cast<uint32_t>(node)));
    hnsw.add_with_locks(distances, hnsw.levels[node] - 1, node, locks.get(), visited);
  }
  owned = {};
  return FromFaiss(hnsw, params.m);
}

void WriteFaissIndex(const HnswGraph& graph, const FrozenRows& rows, uint32_t dims, const std::function<void(const void*, size_t)>& write) {
  faiss::IndexHNSWFlat index(static_cast<int>(dims), static_cast<int>(graph.m()), faiss::METRIC_INNER_PRODUCT);
  auto& storage = dynamic_cast<faiss::IndexFlat&>(*index.storage);
  storage.codes.resize(size_t{graph.size()} * dims * sizeof(float));
  for (uint32_t i = 0; i < graph.size(); i++) std::memcpy(storage.codes.data() + size_t{i} * dims * sizeof(float), rows.Row(i), dims * sizeof(float));
  storage.ntotal = index.ntotal = graph.size();
  storage.is_trained = index.is_trained = true;
  faiss::HNSW& hnsw = index.hnsw;
  hnsw.entry_point = graph.entry();
  hnsw.max_level = graph.max_level();
  hnsw.levels.resize(graph.size());
  hnsw.offsets.assign(1, 0);
  for (uint32_t node = 0; node < graph.size(); node++) {
    hnsw.levels[node] = graph.Levels(node);
    hnsw.offsets.push_back(hnsw.offsets.back() + static_cast<size_t>(hnsw.cum_nb_neighbors(hnsw.levels[node])));
    for (int level = 0; level < hnsw.levels[node]; level++) {
      const int32_t* list = graph.Neighbors(node, level);
      hnsw.neighbors.insert(hnsw.neighbors.end(), list, list + graph.Width(level));
    }
  }
  SinkWriter writer(write);
  faiss::write_index(&index, &writer);
}

std::unique_ptr<HnswGraph> ReadFaissIndex(const std::string& path, uint32_t dims, uint32_t nodes) {
  std::unique_ptr<faiss::Index> read;
  try {
    BoundedReader reader(path);
    read.reset(faiss::read_index(&reader));
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const IndexError&) {
    throw;
  } catch (const std::exception& error) {
    throw IndexError("SHARD_CORRUPT", std::string("the graph is not a Faiss index: ") + error.what());
  }
  auto* index = dynamic_cast<faiss::IndexHNSWFlat*>(read.get());
  if (index == nullptr || index->metric_type != faiss::METRIC_INNER_PRODUCT) throw IndexError("SHARD_CORRUPT", "the graph is another kind of Faiss index");
  if (index->d != static_cast<int>(dims) || index->ntotal != static_cast<int64_t>(nodes)) throw IndexError("SHARD_CORRUPT", "the graph has other dimensions");
  // Its vectors are for others who open the file; freed before the graph is copied.
  if (auto* flat = dynamic_cast<faiss::IndexFlat*>(index->storage)) decltype(flat->codes)().swap(flat->codes);
  uint32_t m = 0;
  CheckFaiss(index->hnsw, nodes, &m);
  return FromFaiss(index->hnsw, m);
}

}  // namespace kindred
