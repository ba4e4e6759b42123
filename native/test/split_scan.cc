// A scan of a list long enough to be split over the cores finds what the same scan in short pieces finds, also where
// something was found before, and each once.
#include <cstdio>
#include <numeric>
#include <random>
#include <vector>

#include "../src/epoch.h"
#include "../src/exact_scan.h"
#include "../src/vector_table.h"

using namespace kindred;

int main() {
  constexpr uint32_t kRows = kParallelScanList * 3, kK = 500;
  EpochDomain epochs;
  VectorTable table(8, Storage::kFloat32, epochs);
  std::vector<uint32_t> ordinals(kRows);
  std::iota(ordinals.begin(), ordinals.end(), 0);
  table.Reserve(ordinals.data(), kRows);
  std::mt19937 random(1);
  std::vector<float> row(table.padded_dims(), 0.f);
  for (uint32_t ordinal : ordinals) {
    // Few scores, many ties.
    for (uint32_t d = 0; d < 8; d++) row[d] = static_cast<float>(random() % 3);
    table.Put(ordinal, row.data());
  }
  table.EndBatch();
  const std::vector<float> query(table.padded_dims(), 1.f);
  EpochGuard guard(epochs);
  uint32_t wrong = 0;
  for (uint32_t before : {0u, 200u, kRows / 3}) {
    TopK whole, pieces;
    whole.Reset(kK);
    pieces.Reset(kK);
    const auto scan = [&](TopK& top, uint32_t from, uint32_t to) { ScanList(table, {query.data(), 1}, ordinals.data() + from, to - from, {}, {}, &top); };
    scan(whole, 0, before);
    scan(whole, before, kRows);
    for (uint32_t at = 0; at < kRows; at += 1000) scan(pieces, at, std::min(at + 1000, kRows));
    const auto found = whole.Sorted(), expected = pieces.Sorted();
    wrong += found.size() != expected.size();
    for (size_t i = 0; i < std::min(found.size(), expected.size()); i++) wrong += found[i].ordinal != expected[i].ordinal || found[i].score != expected[i].score;
  }
  std::printf("%u wrong\n", wrong);
}
