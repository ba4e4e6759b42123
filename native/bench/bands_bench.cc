// The fingerprint bands alone, at numbers whose users' ids no machine like this would hold: bench/bands.ts runs it.
//   bands_bench N CAP QUERIES UPDATES [CODES]
// CODES is a file of 64-bit fingerprints, little endian; without it they are uniform. Queries come from the users themselves.
// Prints one JSON object. CPU seconds are the thread's own, as the machine is shared.
#include <ctime>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

#include "bands.h"

using namespace kindred::read_model;
using kindred::EpochDomain;

namespace {

double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double WallSeconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators": a number for each index.
uint64_t SplitMix(uint64_t index) {
  uint64_t z = (index + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

double ResidentBytes() {
  std::ifstream status("/proc/self/statm");
  double total = 0;
  double resident = 0;
  status >> total >> resident;
  return resident * 4096;
}

struct Population {
  std::vector<uint64_t> codes;
  uint64_t At(uint64_t index) const { return codes.empty() ? SplitMix(index) : codes[index % codes.size()]; }
};

Population Read(const char* path) {
  Population population;
  if (path == nullptr) return population;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw std::runtime_error("the codes cannot be read");
  population.codes.resize(static_cast<size_t>(file.tellg()) / sizeof(uint64_t));
  if (population.codes.empty()) throw std::runtime_error("there are no codes");
  file.seekg(0);
  file.read(reinterpret_cast<char*>(population.codes.data()), static_cast<std::streamsize>(population.codes.size() * sizeof(uint64_t)));
  return population;
}

double Quantile(std::vector<double>& values, double q) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<size_t>(q * static_cast<double>(values.size())))];
}

void PrintQueries(const char* name, EpochDomain& epochs, const Bands& bands, uint32_t users, int distance, uint32_t queries, uint64_t seed) {
  std::vector<double> candidates;
  std::vector<double> micros;
  double cpu = 0;
  uint64_t found = 0;
  uint32_t truncated = 0;
  for (uint32_t q = 0; q < queries; q++) {
    const auto user = static_cast<uint32_t>(SplitMix(seed + q) % users);
    const kindred::EpochGuard guard(epochs);
    uint64_t fingerprint = 0;
    bands.Get(user, &fingerprint);
    const double before = CpuSeconds();
    const Bands::Search search = bands.Near(fingerprint, user, distance, users);
    const double took = CpuSeconds() - before;
    cpu += took;
    micros.push_back(took * 1e6);
    candidates.push_back(static_cast<double>(search.candidates));
    found += search.found.size();
    truncated += search.truncated ? 1 : 0;
  }
  double sum = 0;
  for (const double c : candidates) sum += c;
  std::printf(", \"%s\": {\"distance\": %d, \"microsAQuery\": %.3f, \"microsMedian\": %.3f, \"microsP99\": %.3f", name, distance, cpu * 1e6 / queries, Quantile(micros, 0.5), Quantile(micros, 0.99));
  std::printf(", \"candidates\": %.1f, \"candidatesMedian\": %.0f, \"candidatesP99\": %.0f", sum / queries, Quantile(candidates, 0.5), Quantile(candidates, 0.99));
  std::printf(", \"found\": %llu, \"truncated\": %.5f}", static_cast<unsigned long long>(found), static_cast<double>(truncated) / queries);
}

// The first users take the fingerprints of others, so that nearly always all four blocks move: the dearest update.
void Update(Bands& bands, const Population& population, uint32_t users, uint32_t updates) {
  for (uint32_t u = 0; u < updates; u++) bands.Set(static_cast<uint32_t>(SplitMix(u) % users), population.At(SplitMix(uint64_t{u} << 32) % (uint64_t{users} * 2)));
}

// While another thread searches.
void PrintUpdates(EpochDomain& epochs, Bands& bands, const Population& population, uint32_t users, uint32_t updates) {
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> searched{0};
  std::thread reader([&] {
    for (uint64_t q = 0; !stop; q++) {
      const kindred::EpochGuard guard(epochs);
      uint64_t fingerprint = 0;
      const auto user = static_cast<uint32_t>(SplitMix(q) % users);
      if (bands.Get(user, &fingerprint)) bands.Near(fingerprint, user, 3, users);
      searched++;
    }
  });
  const double cpu = CpuSeconds();
  const double from = WallSeconds();
  Update(bands, population, users, updates);
  const double updating = CpuSeconds() - cpu;
  const double took = WallSeconds() - from;
  const auto searches = static_cast<double>(searched.load());
  stop = true;
  reader.join();
  epochs.Collect();
  std::printf(", \"updates\": {\"microsAnUpdate\": %.3f, \"perSecond\": %.0f, \"searchesASecondMeanwhile\": %.0f", updating * 1e6 / updates, updates / took, searches / took);
}

void PrintMemory(const MemoryMeter& meter, double fixed, double resident, uint32_t users) {
  std::printf(", \"bytesACode\": %.2f, \"residentACode\": %.2f", (meter.bytes() - fixed) / users, (ResidentBytes() - resident) / users);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  const auto users = static_cast<uint32_t>(std::atoll(argv[1]));
  const auto cap = static_cast<uint32_t>(std::atoll(argv[2]));
  const auto queries = static_cast<uint32_t>(std::atoll(argv[3]));
  const auto updates = static_cast<uint32_t>(std::atoll(argv[4]));
  const Population population = Read(argc > 5 ? argv[5] : nullptr);
  EpochDomain epochs;
  MemoryMeter meter;
  Bands bands(epochs, meter, cap);
  const double resident = ResidentBytes();
  const double fixed = meter.bytes();
  const double wall = WallSeconds();
  const double cpu = CpuSeconds();
  for (uint32_t user = 0; user < users; user++) {
    bands.Reach(user);
    bands.Set(user, population.At(user));
  }
  epochs.Collect();
  std::printf("{\"users\": %u, \"cap\": %u, \"buildCpuSeconds\": %.2f, \"buildSeconds\": %.2f, \"fixedBytes\": %.0f", users, cap, CpuSeconds() - cpu, WallSeconds() - wall, fixed);
  PrintMemory(meter, fixed, resident, users);
  PrintQueries("warmUp", epochs, bands, users, 3, queries / 10 + 1, 1);
  PrintQueries("below3", epochs, bands, users, 2, queries, 7);
  PrintQueries("to3", epochs, bands, users, 3, queries, 7);
  if (updates > 0) {
    PrintUpdates(epochs, bands, population, users, updates);
    PrintMemory(meter, fixed, resident, users);
    std::printf("}");
    PrintQueries("afterUpdates", epochs, bands, users, 3, queries, 7);
  }
  const Bands::Stats stats = bands.stats();
  std::printf(", \"stats\": {\"staleEntries\": %u, \"largestBucket\": %u, \"bucketsOverCap\": %u}}\n", stats.stale_entries, stats.largest_bucket, stats.buckets_over_cap);
  return 0;
}
