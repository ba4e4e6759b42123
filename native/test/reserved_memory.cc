// What is said not to allocate, because a failure there would end the process or leave half a write: the threads of a
// split scan, and appending to a fresh list after room was reserved. Every allocation of the program is counted.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

#include "../src/epoch.h"
#include "../src/exact_scan.h"
#include "../src/fresh_list.h"
#include "../src/vector_table.h"

using namespace kindred;

namespace {
std::atomic<uint64_t> allocated{0}, allocated_by_helpers{0};
thread_local bool is_main = false;

void* Allocate(std::size_t bytes) {
  allocated.fetch_add(1, std::memory_order_relaxed);
  if (!is_main) allocated_by_helpers.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t bytes) { return Allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

uint64_t ScanAllocations() {
  constexpr uint32_t kRows = kParallelScanOrdinals + 50000, kQueries = 3;
  EpochDomain epochs;
  VectorTable table(8, Storage::kFloat32, epochs);
  std::vector<uint32_t> ordinals(kRows);
  for (uint32_t i = 0; i < kRows; i++) ordinals[i] = i;
  table.Reserve(ordinals.data(), kRows);
  std::vector<float> row(table.padded_dims(), 0.f);
  for (uint32_t i = 0; i < kRows; i++) {
    row[0] = static_cast<float>(i % 1009);
    table.Put(i, row.data());
  }
  table.EndBatch();
  std::vector<float> queries(size_t{kQueries} * table.padded_dims(), 1.f);
  std::vector<TopK> tops(kQueries);
  for (TopK& top : tops) top.Reset(700);
  EpochGuard guard(epochs);
  allocated_by_helpers = 0;
  ScanAll(table, {queries.data(), kQueries}, {}, {}, tops.data());
  return allocated_by_helpers.load();
}

// Room is reserved and used, in batches of which some end where a chunk does.
uint64_t AppendAllocations() {
  FreshList list;
  uint64_t during = 0;
  for (uint32_t count : {1024u, 1500u, 548u, 1u, 2047u, 3000u, 24u, 1024u, 1024u}) {
    list.Reserve(count);
    const uint64_t before = allocated.load();
    for (uint32_t i = 0; i < count; i++) list.Append({list.size(), 0});
    during += allocated.load() - before;
  }
  return during;
}

}  // namespace

int main() {
  is_main = true;
  const uint64_t appends = AppendAllocations();
  std::printf("%llu allocated by appends, %llu by threads of a scan\n", static_cast<unsigned long long>(appends),
              static_cast<unsigned long long>(ScanAllocations()));
}
