// One writer overwrites, removes and adds vectors while readers look at them and score them: run under the thread
// sanitizer (node native/build.mjs --stress-tsan). Each vector is one number repeated, so half a vector would show.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "../src/epoch.h"
#include "../src/kernels.h"
#include "../src/vector_table.h"

using namespace kindred;

namespace {

constexpr uint32_t kDims = 24, kOrdinals = 700, kReaders = 3;
std::atomic<bool> done{false};
std::atomic<uint64_t> looked{0}, torn{0};

void Read(const VectorTable& table, EpochDomain& epochs, uint32_t seed) {
  std::vector<float> query(table.padded_dims(), 0.f), got(table.padded_dims());
  query[0] = 1.f;
  std::vector<const void*> rows;
  std::vector<float> scores;
  while (!done.load(std::memory_order_relaxed)) {
    EpochGuard guard(epochs);
    rows.clear();
    for (uint32_t i = 0; i < 200; i++) {
      seed = seed * 1664525u + 1013904223u;
      const void* row = table.Row((seed >> 8) % (kOrdinals + 50));
      if (row != nullptr) rows.push_back(row);
    }
    scores.resize(rows.size());
    table.kernels().scores(query.data(), rows.data(), static_cast<uint32_t>(rows.size()), table.padded_dims(), scores.data());
    for (size_t r = 0; r < rows.size(); r++) {
      table.kernels().load(rows[r], kDims, got.data());
      for (uint32_t i = 1; i < kDims; i++)
        if (got[i] != scores[r]) torn.fetch_add(1, std::memory_order_relaxed);
    }
    looked.fetch_add(rows.size(), std::memory_order_relaxed);
  }
}

bool Run(Storage storage, double seconds) {
  done = false;
  EpochDomain epochs;
  VectorTable table(kDims, storage, epochs);
  std::vector<std::thread> readers;
  for (uint32_t i = 0; i < kReaders; i++) readers.emplace_back([&, i] { Read(table, epochs, i + 1); });
  std::vector<float> vector(table.padded_dims(), 0.f);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  uint32_t seed = 7, batches = 0;
  bool freed_once = false;
  while (std::chrono::steady_clock::now() < end) {
    uint32_t ordinals[64];
    for (auto& ordinal : ordinals) ordinal = ((seed = seed * 1664525u + 1013904223u) >> 8) % kOrdinals;
    table.Reserve(ordinals, 64);
    for (uint32_t i = 0; i < 64; i++) {
      if (i % 16 == 15) {
        table.Remove(ordinals[i]);
        continue;
      }
      for (uint32_t d = 0; d < kDims; d++) vector[d] = static_cast<float>(1 + (batches * 64 + i) % 2000);
      table.Put(ordinals[i], vector.data());
    }
    table.EndBatch();
    // A retired block that readers never see: the list of the domain itself is exercised too.
    int* block = new int(1);
    epochs.Retire([block, &freed_once] { freed_once = *block == 1; delete block; });
    batches++;
  }
  done = true;
  for (auto& reader : readers) reader.join();
  epochs.Collect();
  std::printf("%s: %u batches, %llu rows looked at, %llu torn, %zu bytes\n", table.kernels().name, batches,
              static_cast<unsigned long long>(looked.load()), static_cast<unsigned long long>(torn.load()), table.MemoryBytes());
  // The table holds 700 vectors: if slots were not used again it would have grown by a chunk every few hundred batches.
  return torn.load() == 0 && looked.load() > 0 && batches > 0 && freed_once && table.MemoryBytes() < (16u << 20);
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 1.0;
  return Run(Storage::kFloat32, seconds) && Run(Storage::kFloat16, seconds) ? 0 : 1;
}
