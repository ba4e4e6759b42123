// What a search costs: the walk of kindred beside the stock search of the Faiss it is built with, over one and the same
// graph, on one thread, in CPU microseconds. Driven by bench/search-cost.ts, which lets others search the same files.
//
//   search_cost make DIR N DIMS M EF_CONSTRUCTION   vectors, queries, the exact answers, and a shard's files
//   search_cost search DIR                          a line of JSON for each engine and ef
#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/index_io.h>
#include <omp.h>
#include <time.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <set>
#include <stdexcept>

#include "../src/frozen_shard.h"
#include "../src/staged_graph.h"
#include "../src/vector_index.h"

using namespace kindred;

namespace {

constexpr uint32_t kQueries = 1000, kFound = 50, kSeed = 7;
constexpr uint32_t kEfs[] = {50, 64, 80, 96, 128, 160, 192, 256, 384};
const std::atomic<bool> kNever{false};

struct Shape {
  uint32_t count, dims;
};

double CpuSeconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// Unit vectors with a structure like that of people: 16 latent tastes, 200 groups of them, and some noise.
std::vector<float> MakeVectors(uint32_t count, uint32_t dims, uint64_t seed) {
  constexpr uint32_t kLatent = 16, kGroups = 200;
  std::mt19937_64 world(kSeed), random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> mix(size_t{dims} * kLatent), groups(kGroups * kLatent);
  for (float& x : mix) x = normal(world);
  for (float& x : groups) x = normal(world);
  std::vector<float> vectors(size_t{count} * dims);
  for (uint32_t i = 0; i < count; i++) {
    float latent[kLatent];
    const float* group = &groups[random() % kGroups * kLatent];
    for (uint32_t j = 0; j < kLatent; j++) latent[j] = 0.6f * group[j] + normal(random);
    float* vector = &vectors[size_t{i} * dims];
    float norm = 0;
    for (uint32_t d = 0; d < dims; d++) {
      vector[d] = 0.5f * normal(random);
      for (uint32_t j = 0; j < kLatent; j++) vector[d] += mix[size_t{d} * kLatent + j] * latent[j];
      norm += vector[d] * vector[d];
    }
    for (uint32_t d = 0; d < dims; d++) vector[d] /= std::sqrt(norm);
  }
  return vectors;
}

template <typename T>
void Write(const std::string& path, const std::vector<T>& values) {
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
}

template <typename T>
std::vector<T> Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw std::runtime_error("no file " + path);
  std::vector<T> values(static_cast<size_t>(file.tellg()) / sizeof(T));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
  return values;
}

std::shared_ptr<VectorIndex> EmptyIndex(uint32_t dims, Storage storage) {
  IndexOptions options;
  options.dims = dims;
  options.storage = storage;
  options.scan_rows_per_ef = 0;
  return std::make_shared<VectorIndex>(options);
}

void Make(const std::string& directory, Shape shape, const BuildParams& params) {
  const std::vector<float> vectors = MakeVectors(shape.count, shape.dims, 1), queries = MakeVectors(kQueries, shape.dims, 2);
  const auto index = EmptyIndex(shape.dims, Storage::kFloat32);
  std::vector<uint32_t> ordinals(shape.count);
  for (uint32_t i = 0; i < shape.count; i++) ordinals[i] = i;
  index->Upsert(ordinals.data(), shape.count, vectors.data());
  SearchRequest request;
  request.queries = queries;
  request.count = kQueries;
  request.k = kFound;
  request.exact = true;
  std::vector<uint32_t> truth;
  for (const auto& found : index->Search(request).found)
    for (const Scored& one : found) truth.push_back(one.ordinal);
  const double began = CpuSeconds();
  const auto staged = index->Stage(0, params, kNever);
  std::printf("{\"engine\":\"build\",\"cpuSeconds\":%.1f}\n", CpuSeconds() - began);
  index->Verify(*staged, 1, kFound, 0, kSeed, kNever);
  index->Publish(*staged, 0);
  const auto frozen = index->Freeze(0);
  std::vector<uint64_t> written;
  for (const WrittenFile& file : WriteShardFiles(*frozen, directory + "/shard")) {
    written.push_back(file.bytes);
    written.push_back(file.crc32c);
  }
  Write(directory + "/files.u64", written);
  Write(directory + "/base.f32", vectors);
  Write(directory + "/queries.f32", queries);
  Write(directory + "/truth.u32", truth);
  Write(directory + "/shape.u32", std::vector<uint32_t>{shape.count, shape.dims});
  Write(directory + "/ordinals.u32", frozen->ordinals);
}

double Recall(const std::vector<uint32_t>& truth, const std::vector<uint32_t>& found) {
  size_t hits = 0;
  for (uint32_t q = 0; q < kQueries; q++) {
    const std::set<uint32_t> exact(truth.begin() + q * kFound, truth.begin() + (q + 1) * kFound);
    for (uint32_t i = 0; i < kFound; i++) hits += exact.count(found[q * kFound + i]);
  }
  return static_cast<double>(hits) / (kQueries * kFound);
}

// The best of three passes after one that warms the caches: the machine is shared.
template <typename Pass>
void Measure(const char* engine, uint32_t ef, const std::vector<uint32_t>& truth, Pass pass) {
  std::vector<uint32_t> found = pass();
  double best = 1e9;
  for (int round = 0; round < 3; round++) {
    const double began = CpuSeconds();
    found = pass();
    best = std::min(best, CpuSeconds() - began);
  }
  std::printf("{\"engine\":\"%s\",\"ef\":%u,\"recall\":%.4f,\"cpuMicros\":%.1f}\n", engine, ef, Recall(truth, found), best / kQueries * 1e6);
  std::fflush(stdout);
}

void SearchOurs(const std::string& directory, Storage storage, const char* name) {
  const auto shape = Read<uint32_t>(directory + "/shape.u32");
  const auto files = Read<uint64_t>(directory + "/files.u64");
  std::vector<WrittenFile> expected;
  const char* suffixes[] = {".rows", ".graph", ".nodes"};
  for (size_t i = 0; i < files.size(); i += 2) expected.push_back({suffixes[i / 2], files[i], static_cast<uint32_t>(files[i + 1])});
  const auto index = EmptyIndex(shape[1], storage);
  {
    const auto frozen = ReadShardFiles(directory + "/shard", expected, shape[1], PaddedDims(storage, shape[1]), 0, shape[0]);
    frozen->ordinals = Read<uint32_t>(directory + "/ordinals.u32");
    index->Load(0, *frozen);
  }
  const auto truth = Read<uint32_t>(directory + "/truth.u32");
  SearchRequest request;
  request.queries = Read<float>(directory + "/queries.f32");
  request.count = kQueries;
  request.k = kFound;
  for (const uint32_t ef : kEfs) {
    request.ef = ef;
    Measure(name, ef, truth, [&] {
      std::vector<uint32_t> found;
      for (const auto& one : index->Search(request).found)
        for (uint32_t i = 0; i < kFound; i++) found.push_back(i < one.size() ? one[i].ordinal : UINT32_MAX);
      return found;
    });
  }
}

// Node numbers of the file are ours: without buckets, a node is a row.
void SearchStock(const std::string& directory, faiss::MetricType metric, const char* name) {
  std::unique_ptr<faiss::Index> read(faiss::read_index((directory + "/shard.graph").c_str()));
  auto& index = dynamic_cast<faiss::IndexHNSWFlat&>(*read);
  // Of unit vectors both order alike.
  index.metric_type = index.storage->metric_type = metric;
  const auto queries = Read<float>(directory + "/queries.f32");
  const auto truth = Read<uint32_t>(directory + "/truth.u32"), ordinals = Read<uint32_t>(directory + "/ordinals.u32");
  for (const uint32_t ef : kEfs) {
    index.hnsw.efSearch = static_cast<int>(ef);
    Measure(name, ef, truth, [&] {
      std::vector<float> distances(kQueries * kFound);
      std::vector<faiss::Index::idx_t> labels(kQueries * kFound);
      index.search(kQueries, queries.data(), kFound, distances.data(), labels.data());
      std::vector<uint32_t> found;
      for (const auto label : labels) found.push_back(label < 0 ? UINT32_MAX : ordinals[static_cast<size_t>(label)]);
      return found;
    });
  }
}

}  // namespace

int main(int argc, char** argv) {
  omp_set_num_threads(1);
  const std::string what = argc > 2 ? argv[1] : "";
  const auto number = [&](int i) { return static_cast<uint32_t>(std::atoi(argv[i])); };
  if (what == "make" && argc == 7) {
    BuildParams params;
    params.m = number(5);
    params.ef_construction = number(6);
    Make(argv[2], {number(3), number(4)}, params);
  } else if (what == "search" && argc >= 3) {
    const std::string which = argc > 3 ? argv[3] : "";
    if (which.empty() || which == "float32") SearchOurs(argv[2], Storage::kFloat32, "kindred float32");
    if (which.empty() || which == "float16") SearchOurs(argv[2], Storage::kFloat16, "kindred float16");
    if (which.empty() || which == "stock") SearchStock(argv[2], faiss::METRIC_L2, "stock Faiss, L2");
    if (which.empty() || which == "stock-ip") SearchStock(argv[2], faiss::METRIC_INNER_PRODUCT, "stock Faiss, inner product");
  } else {
    std::fprintf(stderr, "usage: search_cost make DIR N DIMS M EF_CONSTRUCTION | search_cost search DIR [ENGINE]\n");
    return 2;
  }
  return 0;
}
