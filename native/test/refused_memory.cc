// Memory refused anywhere: each operation of the index is run again and again, the first allocation refused, then the
// second, and so on until it gets through (of thousands, ever fewer). Each time it must say so by std::bad_alloc, and the index must answer as
// before. Under the address sanitizer (node native/build.mjs --stress-asan), so that nothing is lost or used after it.
#include <sanitizer/lsan_interface.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "../src/frozen_shard.h"
#include "../src/staged_graph.h"
#include "../src/vector_index.h"

using namespace kindred;

namespace {
// Allocations until one is refused; below 0: none is.
std::atomic<long> left{-1};
bool Refused() { return left.load() >= 0 && left.fetch_sub(1) == 0; }

void* Allocate(std::size_t bytes) {
  if (!Refused())
    if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t bytes) { return Allocate(bytes); }
void* operator new[](std::size_t bytes) { return Allocate(bytes); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return Refused() ? nullptr : std::malloc(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
// Large arrays and slots of the table.
extern "C" int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  *memory = Refused() ? nullptr : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  return *memory == nullptr ? 12 : 0;
}

namespace {

constexpr uint32_t kDims = 16, kRows = 200;
const BuildParams kParams{8, 20, 1};
const std::atomic<bool> never{false};
int wrong = 0;

struct Random {
  uint32_t state;
  float Next() { return static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) / (1u << 23) - 1; }
};

// The index, and what it is known to hold.
struct Held {
  std::shared_ptr<VectorIndex> index;
  std::vector<std::vector<float>> vectors;  // by ordinal; empty: none
};

Held Filled(Metric metric) {
  IndexOptions options;
  options.dims = kDims;
  options.metric = metric;
  options.scan_rows_per_ef = 0;
  Held held{std::make_shared<VectorIndex>(options), {}};
  Random random{5};
  for (uint32_t i = 0; i < kRows; i++) {
    // The last ones have one vector, and share a node.
    std::vector<float> vector(kDims);
    for (float& x : vector) x = random.Next();
    held.vectors.push_back(i > kRows - 12 ? held.vectors[kRows - 12] : vector);
    held.index->Upsert(&i, 1, held.vectors.back().data());
  }
  auto staged = held.index->Stage(0, kParams, never);
  held.index->Verify(*staged, 16, 10, 0, 1, never);
  held.index->Publish(*staged, 0.5);
  return held;
}

void Say(const char* what, const char* operation, long nth) {
  std::printf("%s: %s after refusal %ld\n", operation, what, nth);
  wrong++;
}

SearchRequest From(const std::vector<float>& query) {
  SearchRequest request;
  request.queries = query;
  request.k = 20;
  request.ef = 200;
  return request;
}

// Everybody is found by the own vector, once, by a walk as by a scan; the removed are not.
void Check(const Held& held, const char* operation, long nth) {
  uint32_t there = 0;
  for (uint32_t i = 0; i < held.vectors.size(); i++) {
    const std::vector<float>& vector = held.vectors[i];
    std::vector<float> got(kDims);
    if (held.index->Vector(i, got.data()) == vector.empty()) Say("somebody is there who is not to be, or the other way round", operation, nth);
    if (vector.empty()) continue;
    there++;
    if ((i < 100 || i >= 160) && i % 31 != static_cast<uint32_t>(nth + 31) % 31 && i + 12 < held.vectors.size()) continue;
    for (bool exact : {false, true}) {
      if (exact && i % 5 != 0) continue;
      SearchRequest request = From(vector);
      request.exact = exact;
      if (held.index->options().metric == Metric::kInnerProduct) request.k = static_cast<uint32_t>(held.vectors.size());
      const auto found = held.index->Search(request).found[0];
      uint32_t times = 0;
      for (const Scored& one : found) times += one.ordinal == i;
      if (times != 1) Say(times == 0 ? "somebody is not found" : "somebody is found twice", operation, nth);
    }
  }
  if (held.index->size() != there) Say("the size is wrong", operation, nth);
}

// `prepare` is not refused anything. Returns how often it was refused.
long Refuse(const char* operation, const Held& held, const std::function<void()>& work, const std::function<void()>& prepare = [] {}) {
  // Each of the first thirty; of the many alike in a build, ever fewer.
  for (long nth = 0;; nth += 1 + nth / 30 * (nth / 10)) {
    prepare();
    left = nth;
    bool refused = false;
    try {
      work();
    } catch (const std::bad_alloc&) {
      refused = true;
    } catch (const std::exception& error) {
      left = -1;
      Say(error.what(), operation, nth);
      return nth;
    }
    const bool through = left.load() >= 0;
    left = -1;
    if (through && refused) Say("it failed though nothing was refused", operation, nth);
    Check(held, operation, nth);
    if (through) return nth;
  }
}

void Run(Metric metric, const std::string& directory) {
  Held held = Filled(metric);
  VectorIndex& index = *held.index;
  Random random{9};
  std::string said;
  const auto report = [&](const char* operation, long times) { said += std::string(said.empty() ? "" : ", ") + operation + " " + std::to_string(times); };

  // Upserts: overwritten in place, moved far, new. A refused one may be repeated.
  std::vector<uint32_t> ordinals(60);
  std::vector<float> rows(ordinals.size() * kDims);
  held.vectors.resize(kRows + 30);
  for (uint32_t i = 0; i < ordinals.size(); i++) {
    ordinals[i] = i < 30 ? i * 3 : kRows + i - 30;
    std::vector<float>& vector = held.vectors[ordinals[i]];
    vector.resize(kDims);
    for (uint32_t d = 0; d < kDims; d++) rows[i * kDims + d] = vector[d] = random.Next();
  }
  index.Upsert(ordinals.data(), 60, rows.data());
  report("upsert", Refuse("upsert", held, [&] { index.Upsert(ordinals.data(), 60, rows.data()); }));

  // All or nothing, into a table that has to grow for it.
  Held grown{nullptr, {}};
  const auto grow = [&] {
    try {
      grown.index->Upsert(ordinals.data(), 60, rows.data());
    } catch (const std::bad_alloc&) {
      if (grown.index->size() != 0) Say("a part was applied", "grow", left.load());
      throw;
    }
  };
  report("grow", Refuse("grow", held, grow, [&] { grown.index = std::make_shared<VectorIndex>(index.options()); }));

  for (const bool allow : {false, true}) {
    SearchRequest request = From(held.vectors[7]);
    request.exclude = {1, 2, 3};
    request.has_allow = allow;
    for (uint32_t i = 0; allow && i < 100; i++) request.allow.push_back(i);
    report("search", Refuse("search", held, [&] { index.Search(request); }));
  }
  report("measure", Refuse("measure", held, [&] { index.MeasureRecall(8, 10, 0, 1, never); }));
  report("stats", Refuse("stats", held, [&] { index.Stats(); }));

  // A graph: while it is staged somebody moves, comes and goes. What was refused may be tried again.
  report("stage", Refuse("stage", held, [&] { index.Stage(0, kParams, never); }));
  std::shared_ptr<StagedGraph> staged;
  // Who comes after the rows were copied is in no graph: only the shard's journal knows of them.
  const auto come = [&](uint32_t first, uint32_t limit) {
    for (uint32_t i = first; i < limit; i++) {
      for (float& x : held.vectors[i]) x = random.Next();
      index.Upsert(&i, 1, held.vectors[i].data());
    }
  };
  const auto stage = [&] {
    staged.reset();
    for (uint32_t i = 100; i < 120; i++) index.Remove(&i, 1);
    staged = index.Stage(0, kParams, never);
    come(100, 130);
  };
  report("verify", Refuse("verify", held, [&] { index.Verify(*staged, 8, 10, 0, 1, never); }, stage));
  const auto verified = [&] {
    for (uint32_t i = 130; i < 150; i++) index.Remove(&i, 1);
    stage();
    index.Verify(*staged, 8, 10, 0, 1, never);
    come(130, 160);
  };
  const auto publish = [&] { index.Publish(*staged, 0.5); };
  // Whatever of it was refused, the second try must leave nobody out and name nobody twice.
  const auto again = [&] {
    try {
      left = -1;
      index.Verify(*staged, 8, 10, 0, 1, never);
      publish();
    } catch (const IndexError&) {
    }
  };
  report("publish", Refuse("publish", held, publish, verified));
  for (long nth = 0; nth < 30; nth++) {
    for (const bool verifies : {true, false}) {
      verifies ? stage() : verified();
      left = nth;
      try {
        if (verifies) index.Verify(*staged, 8, 10, 0, 1, never);
        else publish();
      } catch (const std::bad_alloc&) {
      }
      again();
      Check(held, verifies ? "verify again" : "publish again", nth);
    }
  }
  staged.reset();

  // Files.
  std::shared_ptr<FrozenShard> frozen;
  report("freeze", Refuse("freeze", held, [&] { frozen = index.Freeze(0); }));
  std::vector<WrittenFile> files;
  const auto write = [&] {
    // Faiss 1.7.3 forgets what it has made so far where it throws; below, what it has read.
    __lsan::ScopedDisabler not_ours;
    files = WriteShardFiles(*frozen, directory + "/shard");
  };
  report("write", Refuse("write", held, write));
  std::unique_ptr<FrozenShard> read;
  const uint32_t count = static_cast<uint32_t>(frozen->ordinals.size());
  const auto reading = [&] {
    __lsan::ScopedDisabler not_ours;
    read = ReadShardFiles(directory + "/shard", files, kDims, frozen->stride, frozen->metric, count);
  };
  report("read", Refuse("read", held, reading));
  read->ordinals = frozen->ordinals;
  Held reopened{nullptr, held.vectors};
  const auto load = [&] { reopened.index->Load(0, *read); };
  const auto make = [&] { reopened.index = std::make_shared<VectorIndex>(index.options()); };
  report("load", Refuse("load", held, load, make));
  Check(reopened, "load", -1);

  // The last: everybody goes, one part after the other.
  for (uint32_t i = 0; i < 50; i++) held.vectors[ordinals[i]].clear();
  index.Remove(ordinals.data(), 50);
  report("remove", Refuse("remove", held, [&] { index.Remove(ordinals.data(), 50); }));
  std::printf("%s refused: %s\n", metric == Metric::kCosine ? "users" : "items", said.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  for (Metric metric : {Metric::kCosine, Metric::kInnerProduct}) Run(metric, argc > 1 ? argv[1] : ".");
  std::printf("%d wrong\n", wrong);
  return wrong == 0 ? 0 : 1;
}
