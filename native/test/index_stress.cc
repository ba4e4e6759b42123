// The whole index under the thread sanitizer (node native/build.mjs --stress-tsan): one thread writes, three search, one
// builds, verifies, publishes and drops, one measures recall, asks for figures, freezes and reopens. Faiss itself is not
// instrumented; it runs on the builder's thread alone.
//
// Each vector's second half is its first half again, so that half a vector would show: in the vector, and in a search by
// a query that is 1 over the first half and -1 over the second, to which all score 0.
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "../src/frozen_shard.h"
#include "../src/staged_graph.h"
#include "../src/vector_index.h"

using namespace kindred;

namespace {

// Ordinals up to kEnds are overwritten, removed and put again, as far as they have come in; those from there on are
// removed one after the other and never come back.
constexpr uint32_t kDims = 32, kBegins = 700, kEnds = 1500, kGoing = 400, kAll = kEnds + kGoing;

struct Random {
  uint32_t state;
  uint32_t Next(uint32_t below) { return ((state = state * 1664525u + 1013904223u) >> 8) % below; }
};

void Fill(Random& random, float* row) {
  for (uint32_t d = 0; d < kDims / 2; d++) row[d] = row[d + kDims / 2] = (static_cast<float>(random.Next(2001)) - 1000) / 100;
}
// Not so far that the graph has to be left for the fresh list.
void Move(Random& random, float* row) {
  for (uint32_t d = 0; d < kDims / 2; d++) row[d] = row[d + kDims / 2] = row[d] * (0.9f + 0.0002f * static_cast<float>(random.Next(1001)));
}

struct Case {
  const char* name;
  Metric metric;
  Storage storage;
  uint32_t shards;
};

class Stress {
 public:
  Stress(const Case& one, double seconds) : case_(one), seconds_(seconds), index_(std::make_shared<VectorIndex>(Options(one))) {}

  bool Run() {
    std::vector<uint32_t> ordinals(kGoing);
    for (uint32_t i = 0; i < kGoing; i++) ordinals[i] = kEnds + i;
    Put(ordinals);
    for (int i = 0; i < 80; i++) WriteBatch(kBegins);
    std::vector<std::thread> threads;
    for (uint32_t i = 1; i <= 3; i++) threads.emplace_back([this, i] { SearchOn(i); });
    threads.emplace_back([this] { BuildOn(); });
    threads.emplace_back([this] { ObserveOn(); });
    Write();
    done_ = true;
    for (auto& thread : threads) thread.join();
    const IndexStats stats = index_->Stats();
    std::printf("%s: %u batches, %llu searches of which %llu cut short, %u swaps, %llu wrong, %llu torn, %u in limbo, %zu retired\n", case_.name, batches_,
                static_cast<unsigned long long>(searches_.load()), static_cast<unsigned long long>(degraded_.load()), swaps_.load(),
                static_cast<unsigned long long>(wrong_.load()), static_cast<unsigned long long>(torn_.load()), stats.limbo_slots, stats.retired_sets);
    return EnoughOfEverything() && wrong_ == 0 && torn_ == 0 && stats.limbo_slots == 0 && stats.retired_sets == 0;
  }

 private:
  static IndexOptions Options(const Case& one) {
    IndexOptions options;
    options.dims = kDims;
    options.metric = one.metric;
    options.storage = one.storage;
    options.shards = one.shards;
    options.scan_rows_per_ef = 0;
    options.default_ef = 40;
    return options;
  }

  // ---- the writer ----
  void Put(const std::vector<uint32_t>& ordinals) {
    std::vector<float> rows(ordinals.size() * kDims);
    for (size_t i = 0; i < ordinals.size(); i++) {
      float* row = &rows[i * kDims];
      if (random_.Next(64) != 0 && index_->Vector(ordinals[i], row)) Move(random_, row);
      else Fill(random_, row);
    }
    index_->Upsert(ordinals.data(), static_cast<uint32_t>(ordinals.size()), rows.data());
  }
  void WriteBatch(uint32_t below) {
    std::vector<uint32_t> ordinals(64);
    for (auto& ordinal : ordinals) ordinal = random_.Next(below);
    Put(ordinals);
    if (batches_ % 2 == 0) index_->Remove(ordinals.data(), 3);
  }
  bool EnoughOfEverything() const { return swaps_.load() >= 2 * case_.shards && searches_.load() >= 200 && degraded_.load() > 0; }
  // At least so long, and on a busy machine until there was enough; in the end it gives up.
  void Write() {
    const auto begin = std::chrono::steady_clock::now();
    const auto passed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
    while (passed() < seconds_ || (!EnoughOfEverything() && passed() < seconds_ + 20)) {
      batches_++;
      // Where most have left the graph, nobody walks it: the writer is not to outrun the builder.
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      WriteBatch(std::min(kEnds, kBegins + batches_));
      const uint32_t gone = gone_.load(std::memory_order_relaxed);
      if (gone == kGoing) continue;
      const uint32_t ordinal = kEnds + gone;
      index_->Remove(&ordinal, 1);
      gone_.store(gone + 1, std::memory_order_release);
    }
  }

  // ---- readers ----
  SearchRequest Ask(Random& random, bool& halves) {
    SearchRequest request;
    request.count = random.Next(4) == 0 ? 3 : 1;
    request.k = 1 + random.Next(30);
    request.exact = random.Next(8) == 0;
    request.exclude = {random.Next(kAll)};
    halves = random.Next(4) == 0;
    if (random.Next(8) == 0) {
      // Wide enough a walk to look at the clock.
      request.ef = kAll;
      request.deadline = Deadline::After(0.001 * (1 + random.Next(200)));
    }
    if (random.Next(4) == 0) {
      request.has_allow = true;
      for (uint32_t i = 0; i < 300; i++) request.allow.push_back(random.Next(kAll));
    }
    if (!halves && random.Next(4) == 0) {
      request.count = 1;
      request.from = random.Next(kAll);
      return request;
    }
    request.queries.resize(size_t{request.count} * kDims);
    for (uint32_t q = 0; q < request.count; q++) {
      float* query = &request.queries[size_t{q} * kDims];
      Fill(random, query);
      for (uint32_t d = 0; halves && d < kDims; d++) query[d] = d < kDims / 2 ? 1.f : -1.f;
    }
    return request;
  }
  void SearchOn(uint32_t seed) {
    Random random{seed};
    std::vector<float> vector(kDims);
    while (!done_.load(std::memory_order_relaxed)) {
      bool halves = false;
      const SearchRequest request = Ask(random, halves);
      // Removed before the search began: in no answer.
      const uint32_t gone = gone_.load(std::memory_order_acquire);
      const SearchAnswer answer = index_->Search(request);
      if (answer.degraded) degraded_.fetch_add(1);
      for (const auto& found : answer.found) {
        for (size_t i = 1; i < found.size(); i++)
          if (!Better(found[i - 1], found[i])) wrong_.fetch_add(1);
        for (const Scored& one : found) {
          if (one.ordinal == request.exclude[0] || one.ordinal >= kAll || (one.ordinal >= kEnds && one.ordinal < kEnds + gone)) wrong_.fetch_add(1);
          if (case_.metric == Metric::kCosine && !(one.score <= 1.001f)) wrong_.fetch_add(1);
          if (halves && !(std::fabs(one.score) < 1e-3f)) torn_.fetch_add(1);
        }
      }
      if (index_->Vector(random.Next(kAll), vector.data()))
        for (uint32_t d = 0; d < kDims / 2; d++)
          if (vector[d] != vector[d + kDims / 2]) torn_.fetch_add(1);
      searches_.fetch_add(1, std::memory_order_relaxed);
    }
  }

  // ---- builders ----
  void BuildOn() {
    BuildParams params;
    params.m = 6;
    params.ef_construction = 20;
    for (uint32_t i = 0; !done_.load(std::memory_order_relaxed); i++) {
      const auto staged = index_->Stage(i % case_.shards, params, never_);
      if (i % 5 == 4) continue;  // dropped
      index_->Verify(*staged, 8, 10, 0, i, never_);
      index_->Publish(*staged, 0);
      swaps_++;
    }
  }
  void ObserveOn() {
    for (uint32_t i = 0; !done_.load(std::memory_order_relaxed); i++) {
      index_->MeasureRecall(8, 10, 0, 1, never_);
      if (index_->Stats().size > kAll) wrong_.fetch_add(1);
      const uint32_t shard = i % case_.shards;
      const auto frozen = index_->Freeze(shard);
      if (frozen->ordinals.size() > kAll) wrong_.fetch_add(1);
      const auto reopened = std::make_shared<VectorIndex>(Options(case_));
      reopened->Load(shard, *frozen);
      if (reopened->size() != frozen->ordinals.size()) wrong_.fetch_add(1);
    }
  }

  const Case case_;
  const double seconds_;
  const std::shared_ptr<VectorIndex> index_;
  Random random_{99};
  uint32_t batches_ = 0;
  std::atomic<bool> done_{false}, never_{false};
  std::atomic<uint32_t> swaps_{0}, gone_{0};
  std::atomic<uint64_t> searches_{0}, degraded_{0}, wrong_{0}, torn_{0};
};

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 2.0;
  const Case cases[] = {
      {"users, float32, 2 shards", Metric::kCosine, Storage::kFloat32, 2},
      {"items, float16, 3 shards", Metric::kInnerProduct, Storage::kFloat16, 3},
  };
  bool good = true;
  for (const Case& one : cases) good = Stress(one, seconds).Run() && good;
  return good ? 0 : 1;
}
