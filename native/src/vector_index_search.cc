// Searches: which of walk and scan answers, and how their findings come together.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>

#include "vector_index.h"

namespace kindred {

namespace {

// Allow lists up to this long are scanned whatever the size of the table.
constexpr size_t kShortAllowList = 2000;

struct ThreadScratch {
  WalkScratch walk;
  OrdinalBits exclude, allow;
  TopK found;
};

ThreadScratch& Scratch() {
  static thread_local ThreadScratch scratch;
  return scratch;
}

}  // namespace

double RecallOf(const std::vector<Scored>& exact, const std::vector<Scored>& found) {
  if (exact.empty()) return 1;
  const float last = exact.back().score - 1e-6f * std::fabs(exact.back().score);
  size_t hits = 0;
  for (const Scored& one : found) hits += one.score >= last;
  return static_cast<double>(std::min(hits, exact.size())) / static_cast<double>(exact.size());
}

// On cache lines is not needed of queries; padded with zeros they must be.
std::vector<float> VectorIndex::Padded(const float* vector, bool normalise) const {
  std::vector<float> padded(table_.padded_dims(), 0.f);
  double scale = 1;
  if (normalise) {
    double norm = 0;
    for (uint32_t i = 0; i < options_.dims; i++) norm += static_cast<double>(vector[i]) * vector[i];
    scale = norm > 0 ? 1 / std::sqrt(norm) : 1;
  }
  for (uint32_t i = 0; i < options_.dims; i++) padded[i] = static_cast<float>(vector[i] * scale);
  return padded;
}

bool VectorIndex::Vector(uint32_t ordinal, float* out) {
  EpochGuard guard(epochs_);
  const void* row = ordinal < table_.OrdinalLimit() ? table_.Row(ordinal) : nullptr;
  if (row == nullptr) return false;
  table_.kernels().load(row, options_.dims, out);
  return true;
}

SearchAnswer VectorIndex::Search(const SearchRequest& request) {
  SearchAnswer answer;
  std::vector<float> own;
  const float* queries = request.queries.data();
  if (request.queries.empty()) {
    own.resize(options_.dims);
    answer.found.resize(1);
    if (!Vector(request.from, own.data())) return answer;
    queries = own.data();
  }
  answer.found.resize(request.count);
  EpochGuard guard(epochs_);
  ThreadScratch& scratch = Scratch();
  const uint32_t limit = table_.OrdinalLimit();
  OrdinalFilter filter;
  if (!request.exclude.empty()) {
    scratch.exclude.Set(request.exclude.data(), request.exclude.size(), limit);
    filter.exclude = &scratch.exclude;
  }
  if (request.has_allow) {
    scratch.allow.Set(request.allow.data(), request.allow.size(), limit);
    filter.allow = &scratch.allow;
  }
  const uint32_t ef = std::max(request.ef == 0 ? default_ef() : request.ef, request.k);
  for (uint32_t q = 0; q < request.count; q++) {
    const float* given = queries + size_t{q} * options_.dims;
    // A query of zeros has no direction, and finds nothing.
    if (std::all_of(given, given + options_.dims, [](float x) { return x == 0; })) continue;
    const std::vector<float> query = Padded(given, options_.metric == Metric::kCosine);
    TopK top;
    top.Reset(request.k);
    if (request.exact) {
      if (!ScanAll(table_, {query.data(), 1}, filter, request.deadline, &top)) answer.degraded = true;
    } else {
      if (SearchOne(query.data(), ef, filter, request.deadline, top).degraded) answer.degraded = true;
      if (filter.allow == nullptr) sample_.Offer(query.data(), table_.padded_dims());
    }
    answer.found[q] = top.Sorted();
  }
  return answer;
}

// A walk that may return only a share p of what it meets goes over ef / p nodes; a scan of the list looks at p * size rows.
// With some 1.5 us for each step of the walk and 40 ns for each row of the list they are even at allowed^2 = 40 * ef * size
// (bench/filters.ts: between 1 and 5 % of 100,000 rows, and near 6 % of 1,000,000).
bool VectorIndex::AllowListIsShort(size_t allowed, uint32_t ef) const {
  const double even = std::sqrt(40.0 * ef * table_.size());
  return allowed <= kShortAllowList || static_cast<double>(allowed) <= even;
}

// Where a walk would be no quicker than one scan of all (on several cores): few rows for this ef, or most in no graph.
// Inside an EpochGuard.
bool VectorIndex::ScansAll(uint32_t ef) const {
  if (table_.size() < uint64_t{options_.scan_rows_per_ef} * ef) return true;
  uint64_t fresh = 0;
  for (const ShardState& shard : Set().shards) fresh += shard.fresh->size();
  return fresh * 2 >= table_.size();
}

VectorIndex::Progress VectorIndex::SearchOne(const float* query, uint32_t ef, const OrdinalFilter& filter, const Deadline& deadline, TopK& top) {
  Progress progress;
  const bool short_list = filter.allow != nullptr && AllowListIsShort(filter.allow->members().size(), ef);
  if (short_list || ScansAll(ef)) {
    ScanAllowed(query, filter, deadline, top, progress);
    return progress;
  }
  // Where the allowed lie far from the query, a walk goes over everybody who is nearer before it finds ef of them. The walks
  // of a search, over all shards, are given up at half the rows of a scan: the worst search costs about two scans.
  if (filter.allow != nullptr) progress.scores_left = static_cast<int64_t>(filter.allow->members().size() / 2);
  else if (filter.exclude != nullptr) progress.scores_left = table_.size() / 2;
  for (const ShardState& shard : Set().shards) {
    if (SearchShard(shard, query, ef, filter, deadline, top, progress)) continue;
    top = top.Empty();
    ScanAllowed(query, filter, deadline, top, progress);
    break;
  }
  return progress;
}

void VectorIndex::ScanAllowed(const float* query, const OrdinalFilter& filter, const Deadline& deadline, TopK& top, Progress& progress) const {
  const bool complete = filter.allow == nullptr ? ScanAll(table_, {query, 1}, filter, deadline, &top)
                                                : ScanList(table_, {query, 1}, filter.allow->members().data(), filter.allow->members().size(), filter, deadline, &top);
  if (!complete) progress.degraded = true;
}

// False: the walk was given up since no scores were left, and `top` is not to be used.
bool VectorIndex::SearchShard(const ShardState& shard, const float* query, uint32_t ef, const OrdinalFilter& filter, const Deadline& deadline, TopK& top,
                              Progress& progress) {
  ThreadScratch& scratch = Scratch();
  bool walks = shard.graph != nullptr;
  // By inner product the longest are scanned first, and mostly nothing is left to be found by the walk.
  const bool ordered = walks && !shard.graph->longest.empty();
  if (ordered) {
    const LengthOrder::End end = shard.graph->longest.Scan(table_, query, ef, filter, deadline, top);
    if (end == LengthOrder::End::kDeadline) progress.degraded = true;
    walks = end == LengthOrder::End::kExhausted;
  }
  if (walks) {
    progress.walked = true;
    scratch.found.Reset(ef);
    const WalkEnd end = WalkGraph(*shard.graph, table_, query, filter, deadline, scratch.walk, scratch.found, ef, progress.scores_left);
    if (end == WalkEnd::kSpent) return false;
    if (end == WalkEnd::kDeadline) progress.degraded = true;
    if (ordered) MergeDistinct(top, scratch.found);
    else top.Merge(scratch.found);
  }
  // Scored already: met on the walk at the current vector, or as a member of a bucket.
  const auto seen = [&](const FreshEntry& entry) {
    if (!walks || entry.node == kNoNode) return false;
    const uint32_t node = static_cast<uint32_t>(entry.node);
    if (shard.graph->owner_of_node[node] & kBucketBit) return scratch.walk.scored_members.Has(entry.ordinal);
    return scratch.walk.Visited(node);
  };
  static thread_local std::vector<uint32_t> fresh;
  fresh.clear();
  shard.fresh->ForEach([&](const FreshEntry& entry) {
    if (!seen(entry)) fresh.push_back(entry.ordinal);
    return true;
  });
  // Of those that drifted some may be among the longest, scored already.
  scratch.found.Reset(top.k());
  if (!ScanList(table_, {query, 1}, fresh.data(), fresh.size(), filter, deadline, ordered ? &scratch.found : &top)) progress.degraded = true;
  if (ordered) MergeDistinct(top, scratch.found);
  return true;
}

MeasuredRecall VectorIndex::MeasureRecall(uint32_t samples, uint32_t k, uint32_t ef, uint64_t seed, const std::atomic<bool>& cancelled) {
  RecallSum sum;
  std::vector<std::vector<float>> queries = sample_.Take(samples);
  std::mt19937_64 random(seed);
  std::vector<float> vector(options_.dims);
  for (uint32_t tried = 0; queries.size() < samples && tried < samples * 8; tried++) {
    const uint32_t limit = table_.OrdinalLimit();
    if (limit > 0 && Vector(static_cast<uint32_t>(random() % limit), vector.data())) queries.push_back(Padded(vector.data(), false));
  }
  const OrdinalFilter all;
  const Deadline deadline = Deadline().Or(&cancelled);
  const uint32_t width = std::max(ef == 0 ? default_ef() : ef, k);
  // A few queries at a time: one pass over the table serves them all, and the epoch is not held for long.
  constexpr size_t kTogether = 16;
  std::vector<float> block(kTogether * table_.padded_dims());
  for (size_t at = 0; at < queries.size(); at += kTogether) {
    const uint32_t count = static_cast<uint32_t>(std::min(kTogether, queries.size() - at));
    EpochGuard guard(epochs_);
    // A scan need not be held against itself.
    if (ScansAll(width)) {
      for (uint32_t i = 0; i < count; i++) sum.Add(1, false);
      continue;
    }
    std::vector<TopK> exact(count);
    for (uint32_t i = 0; i < count; i++) {
      exact[i].Reset(k);
      std::copy(queries[at + i].begin(), queries[at + i].end(), block.begin() + static_cast<ptrdiff_t>(i * table_.padded_dims()));
    }
    if (!ScanAlone(table_, {block.data(), count}, all, deadline, exact.data())) return {};
    for (uint32_t i = 0; i < count; i++) {
      TopK found;
      found.Reset(k);
      const Progress progress = SearchOne(queries[at + i].data(), width, all, deadline, found);
      sum.Add(RecallOf(exact[i].Sorted(), found.Sorted()), progress.walked);
    }
  }
  return sum.Result();
}

}  // namespace kindred
