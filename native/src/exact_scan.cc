#include "exact_scan.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <thread>

namespace kindred {

namespace {

constexpr uint32_t kBlock = 64;
constexpr size_t kPrefetched = 512;
// The clock is looked at each so many blocks: 2,048 rows, some 20 us.
constexpr uint32_t kBlocksPerClock = 32;

// Gathers rows and scores them block by block: with several queries each row is fetched from memory once.
class BlockScan {
 public:
  BlockScan(const VectorTable& table, Queries queries, const OrdinalFilter& filter, const Deadline& deadline, TopK* tops)
      : table_(table), queries_(queries), filter_(filter), deadline_(deadline), tops_(tops) {}

  // False: the deadline passed.
  bool Add(uint32_t ordinal) {
    const void* row = table_.Row(ordinal);
    if (row == nullptr || !filter_.Passes(ordinal)) return true;
    // Of long rows the rest follows by itself, once the beginning is read in order.
    for (size_t at = 0; at < std::min(table_.row_bytes(), kPrefetched); at += 64) __builtin_prefetch(static_cast<const char*>(row) + at);
    rows_[filled_] = row;
    ordinals_[filled_++] = ordinal;
    return filled_ < kBlock || Flush();
  }

  bool Flush() {
    for (uint32_t q = 0; q < queries_.count; q++) {
      table_.kernels().scores(queries_.rows + size_t{q} * table_.padded_dims(), rows_, filled_, table_.padded_dims(), scores_);
      for (uint32_t i = 0; i < filled_; i++)
        if (tops_[q].Accepts(scores_[i])) tops_[q].Offer({scores_[i], ordinals_[i]});
    }
    filled_ = 0;
    return ++blocks_ % kBlocksPerClock != 0 || !deadline_.Passed();
  }

 private:
  const VectorTable& table_;
  const Queries queries_;
  const OrdinalFilter& filter_;
  const Deadline& deadline_;
  TopK* tops_;
  const void* rows_[kBlock];
  uint32_t ordinals_[kBlock];
  float scores_[kBlock];
  uint32_t filled_ = 0, blocks_ = 0;
};

// Cores that scans of this process may take besides the threads they came on.
std::atomic<int>& SpareCores() {
  static std::atomic<int> spare{static_cast<int>(std::thread::hardware_concurrency()) - 1};
  return spare;
}

// Takes up to so many of them, and gives them back however the scan ends.
class TakenCores {
 public:
  explicit TakenCores(int wanted) {
    while (count_ < wanted) {
      int spare = SpareCores().load();
      if (spare <= 0) break;
      if (SpareCores().compare_exchange_weak(spare, spare - 1)) count_++;
    }
  }
  ~TakenCores() { SpareCores().fetch_add(count_); }
  TakenCores(const TakenCores&) = delete;
  TakenCores& operator=(const TakenCores&) = delete;
  int count() const { return count_; }

 private:
  int count_ = 0;
};

// Looks at the steps begin..end - 1 of a scan.
using ScanSteps = std::function<bool(uint64_t begin, uint64_t end, TopK* tops)>;

// All steps, split over this thread and as many cores as are to spare, up to three.
bool ScanSplit(uint64_t steps, uint32_t queries, TopK* tops, const ScanSteps& scan) {
  const TakenCores cores(3);
  const int helpers = cores.count();
  if (helpers == 0) return scan(0, steps, tops);

  // Parts are taken one after the other, so that a core busy with something else holds nobody up.
  const uint64_t size = std::clamp<uint64_t>(steps / 8, 1u << 11, 1u << 14);
  std::atomic<uint64_t> next{0};
  std::atomic<bool> complete{true};
  const auto work = [&](TopK* into) noexcept {
    for (;;) {
      const uint64_t begin = next.fetch_add(size);
      if (begin >= steps || !complete.load(std::memory_order_relaxed)) return;
      if (!scan(begin, std::min(steps, begin + size), into)) complete.store(false);
    }
  };
  // All memory is had before the first thread starts: a thread that throws would end the process.
  std::vector<std::vector<TopK>> partial(helpers);
  for (uint32_t q = 0; q < queries; q++) {
    tops[q].Reserve(tops[q].size() + steps);
    for (auto& part : partial) {
      part.push_back(tops[q].Empty());
      part.back().Reserve(steps);
    }
  }
  std::vector<std::thread> threads;
  threads.reserve(helpers);
  try {
    for (int i = 0; i < helpers; i++) threads.emplace_back(work, partial[i].data());
  } catch (const std::exception&) {
    // No more threads, or no memory for one: the parts are done by those there are.
  }
  work(tops);
  for (auto& thread : threads) thread.join();
  for (auto& part : partial)
    for (uint32_t q = 0; q < queries; q++) tops[q].Merge(part[q]);
  return complete.load();
}

// Ordinals begin..end - 1, on this thread.
bool ScanPart(const VectorTable& table, Queries queries, uint64_t begin, uint64_t end, const OrdinalFilter& filter, const Deadline& deadline, TopK* tops) {
  BlockScan scan(table, queries, filter, deadline, tops);
  for (uint64_t ordinal = begin; ordinal < end; ordinal++)
    if (!scan.Add(static_cast<uint32_t>(ordinal))) return false;
  scan.Flush();
  return true;
}

}  // namespace

bool ScanAll(const VectorTable& table, Queries queries, const OrdinalFilter& filter, const Deadline& deadline, TopK* tops) {
  const uint64_t limit = table.OrdinalLimit();
  const ScanSteps scan_steps = [&](uint64_t begin, uint64_t end, TopK* into) { return ScanPart(table, queries, begin, end, filter, deadline, into); };
  return limit < kParallelScanOrdinals ? scan_steps(0, limit, tops) : ScanSplit(limit, queries.count, tops, scan_steps);
}

bool ScanAlone(const VectorTable& table, Queries queries, const OrdinalFilter& filter, const Deadline& deadline, TopK* tops) {
  return ScanPart(table, queries, 0, table.OrdinalLimit(), filter, deadline, tops);
}

bool ScanList(const VectorTable& table, Queries queries, const uint32_t* ordinals, size_t count, const OrdinalFilter& filter, const Deadline& deadline,
              TopK* tops) {
  const uint32_t limit = table.OrdinalLimit();
  const ScanSteps scan_steps = [&](uint64_t begin, uint64_t end, TopK* into) {
    BlockScan scan(table, queries, filter, deadline, into);
    for (uint64_t i = begin; i < end; i++)
      if (ordinals[i] < limit && !scan.Add(ordinals[i])) return false;
    scan.Flush();
    return true;
  };
  // Who asks several queries at once is a builder of low priority: it stays on its thread.
  return count < kParallelScanList || queries.count > 1 ? scan_steps(0, count, tops) : ScanSplit(count, queries.count, tops, scan_steps);
}

}  // namespace kindred
