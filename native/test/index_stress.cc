// The whole index under the thread sanitizer (node native/build.mjs --stress-tsan): one thread writes, three search, one
// builds, verifies and publishes, one measures recall, asks for figures and freezes. Faiss itself is not instrumented;
// it runs on the builder's thread alone.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "../src/frozen_shard.h"
#include "../src/staged_graph.h"
#include "../src/vector_index.h"

using namespace kindred;

namespace {

constexpr uint32_t kDims = 16, kOrdinals = 1500;
std::atomic<bool> done{false}, never{false};
std::atomic<uint64_t> searches{0}, wrong{0};

struct Random {
  uint32_t state;
  uint32_t Next(uint32_t below) { return ((state = state * 1664525u + 1013904223u) >> 8) % below; }
};

void Fill(Random& random, float* row) {
  for (uint32_t d = 0; d < kDims; d++) row[d] = static_cast<float>(random.Next(2001)) - 1000;
}

void Search(VectorIndex& index, uint32_t seed) {
  Random random{seed};
  while (!done.load(std::memory_order_relaxed)) {
    SearchRequest request;
    request.queries.resize(kDims);
    Fill(random, request.queries.data());
    request.k = 1 + random.Next(30);
    request.exact = random.Next(8) == 0;
    request.exclude = {random.Next(kOrdinals)};
    if (random.Next(4) == 0) {
      request.has_allow = true;
      for (uint32_t i = 0; i < 300; i++) request.allow.push_back(random.Next(kOrdinals));
    }
    const SearchAnswer answer = index.Search(request);
    const auto& found = answer.found[0];
    for (size_t i = 1; i < found.size(); i++)
      if (!Better(found[i - 1], found[i])) wrong.fetch_add(1);
    for (const Scored& one : found)
      if (one.ordinal == request.exclude[0] || !(one.score <= 1.001f)) wrong.fetch_add(1);
    searches.fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace

int main(int argc, char** argv) {
  IndexOptions options;
  options.dims = kDims;
  options.shards = 2;
  options.scan_rows_per_ef = 0;
  options.default_ef = 40;
  auto index = std::make_shared<VectorIndex>(options);
  Random random{99};
  std::vector<float> rows(64 * kDims);
  std::vector<uint32_t> ordinals(64);
  const auto write = [&](bool remove) {
    for (uint32_t i = 0; i < 64; i++) {
      ordinals[i] = random.Next(kOrdinals);
      Fill(random, &rows[i * kDims]);
    }
    index->Upsert(ordinals.data(), 64, rows.data());
    if (remove) index->Remove(ordinals.data(), 8);
  };
  for (int i = 0; i < 80; i++) write(false);

  std::vector<std::thread> threads;
  for (uint32_t i = 1; i <= 3; i++) threads.emplace_back([&, i] { Search(*index, i); });
  std::atomic<uint32_t> swaps{0};
  threads.emplace_back([&] {
    BuildParams params;
    params.m = 6;
    params.ef_construction = 20;
    for (uint32_t i = 0; !done.load(std::memory_order_relaxed); i++) {
      const auto staged = index->Stage(i % 2, params, never);
      if (i % 5 == 4) continue;  // dropped
      index->Verify(*staged, 8, 10, 0, i, never);
      index->Publish(*staged, 0);
      swaps++;
    }
  });
  threads.emplace_back([&] {
    while (!done.load(std::memory_order_relaxed)) {
      index->MeasureRecall(8, 10, 0, 1, never);
      if (index->Stats().size > kOrdinals) wrong.fetch_add(1);
      const auto frozen = index->Freeze(0);
      if (frozen->ordinals.size() > kOrdinals) wrong.fetch_add(1);
    }
  });
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(argc > 1 ? std::atof(argv[1]) : 2.0);
  uint32_t batches = 0;
  // At least so long, and on a busy machine until there was enough of everything.
  while (std::chrono::steady_clock::now() < end || swaps.load() < 4 || searches.load() < 100) write(++batches % 2 == 0);
  done = true;
  for (auto& thread : threads) thread.join();
  const IndexStats stats = index->Stats();
  std::printf("%u batches, %llu searches, %u swaps, %llu wrong, %u in limbo, %zu retired\n", batches, static_cast<unsigned long long>(searches.load()), swaps.load(),
              static_cast<unsigned long long>(wrong.load()), stats.limbo_slots, stats.retired_sets);
  return wrong.load() == 0 && stats.retired_sets == 0 ? 0 : 1;
}
