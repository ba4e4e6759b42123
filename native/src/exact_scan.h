// Exact scans of the table: every vector of the table or of a list is looked at, for one query or several at once.
#pragma once
#include <cstdint>

#include "deadline.h"
#include "ordinal_filter.h"
#include "top_k.h"
#include "vector_table.h"

namespace kindred {

// Row-major, `count` x padded_dims of the table.
struct Queries {
  const float* rows;
  uint32_t count;
};

// From so many ordinals on a scan is split over the cores that no other scan has taken.
constexpr uint32_t kParallelScanOrdinals = 1u << 17;
// The same of a list, whose rows lie apart and cost more each: a fresh list above its cap, a long allow-list.
constexpr uint32_t kParallelScanList = 1u << 16;

// All inside the caller's EpochGuard. `tops` has one for each query. False: the deadline passed before the end.
bool ScanAll(const VectorTable& table, Queries queries, const OrdinalFilter& filter, const Deadline& deadline, TopK* tops);
// The whole table on the calling thread alone, for work in the background: it takes no core from searches.
bool ScanAlone(const VectorTable& table, Queries queries, const OrdinalFilter& filter, const Deadline& deadline, TopK* tops);
bool ScanList(const VectorTable& table, Queries queries, const uint32_t* ordinals, size_t count, const OrdinalFilter& filter, const Deadline& deadline,
              TopK* tops);

}  // namespace kindred
