#include "node_layout.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace kindred {

namespace {

// Rows that point the same way to four digits fall together, but for those at the edge of rounding.
uint64_t DirectionHash(const float* row, uint32_t dims) {
  double norm = 0;
  for (uint32_t i = 0; i < dims; i++) norm += static_cast<double>(row[i]) * row[i];
  const float scale = static_cast<float>(1e4 / std::sqrt(norm > 0 ? norm : 1));
  uint64_t hash = 1469598103934665603ull ^ static_cast<uint64_t>(std::llrint(std::log2(norm > 0 ? norm : 1) * 1e4));
  for (uint32_t i = 0; i < dims; i++) {
    hash ^= static_cast<uint32_t>(std::lrintf(row[i] * scale));
    hash *= 1099511628211ull;
    hash ^= hash >> 29;
  }
  return hash;
}

bool Same(const float* a, const float* b, uint32_t dims) {
  float apart = 0, norm = 0;
  for (uint32_t i = 0; i < dims; i++) {
    apart += (a[i] - b[i]) * (a[i] - b[i]);
    norm += a[i] * a[i];
  }
  return apart <= 1e-6f * norm;
}

// By inner product alone, long vectors take all links and the short ones are never reached; by cosine alone, a walk finds
// no way from a short vector to a long one. Links are chosen between the two: by products of rows scaled to
// |x|^(1 - p). Tried with p = 0, .5, .65, .75, .85, 1 at 8,000 rows, k = 50, ef = 128: recall .87, .90, .93, .95, .96, .98
// where lengths differ 40 times, .88, .93, .95, .95, .97, .85 where they are log-normal, .94, .98, .99, .99, .99, .98 where
// they hardly differ. Searches go by true products, whatever the links.
constexpr double kLengthPower = 0.85;

// For each row the bucket it belongs to, or -1.
std::vector<int32_t> FindBuckets(const AlignedArray<float>& rows, size_t count, uint32_t stride, uint32_t dims, uint32_t* buckets) {
  std::vector<std::pair<uint64_t, uint32_t>> hashes(count);
  for (size_t i = 0; i < count; i++) hashes[i] = {DirectionHash(&rows[i * stride], dims), static_cast<uint32_t>(i)};
  std::sort(hashes.begin(), hashes.end());
  std::vector<int32_t> bucket_of(count, -1);
  std::vector<uint32_t> members;
  *buckets = 0;
  for (size_t at = 0; at < count;) {
    const float* first = &rows[hashes[at].second * size_t{stride}];
    const uint64_t hash = hashes[at].first;
    members.clear();
    for (; at < count && hashes[at].first == hash; at++)
      if (Same(first, &rows[hashes[at].second * size_t{stride}], dims)) members.push_back(hashes[at].second);
    if (members.size() < kBucketFrom) continue;
    for (uint32_t row : members) bucket_of[row] = static_cast<int32_t>(*buckets);
    (*buckets)++;
  }
  return bucket_of;
}

}  // namespace

void EvenOutLengths(AlignedArray<float>& rows, uint32_t count, uint32_t stride) {
  for (uint32_t i = 0; i < count; i++) {
    float* row = &rows[size_t{i} * stride];
    double norm = 0;
    for (uint32_t d = 0; d < stride; d++) norm += static_cast<double>(row[d]) * row[d];
    const float scale = static_cast<float>(std::pow(norm, -kLengthPower / 2));
    for (uint32_t d = 0; d < stride; d++) row[d] *= scale;
  }
}

std::shared_ptr<ShardGraph> LayOutNodes(const std::vector<uint32_t>& ordinals, AlignedArray<float>& rows, uint32_t stride, uint32_t dims) {
  auto shard = std::make_shared<ShardGraph>();
  uint32_t buckets = 0;
  const std::vector<int32_t> bucket_of = FindBuckets(rows, ordinals.size(), stride, dims, &buckets);
  shard->bucket_stride = stride;
  shard->bucket_rows = AlignedArray<float>(size_t{buckets} * stride);
  shard->bucket_start.assign(buckets + 1, 0);
  for (int32_t bucket : bucket_of)
    if (bucket >= 0) shard->bucket_start[static_cast<uint32_t>(bucket) + 1]++;
  for (uint32_t i = 0; i < buckets; i++) shard->bucket_start[i + 1] += shard->bucket_start[i];
  shard->bucket_members.resize(shard->bucket_start[buckets]);
  std::vector<uint32_t> filled(shard->bucket_start.begin(), shard->bucket_start.end() - 1);
  uint32_t nodes = 0;
  for (size_t i = 0; i < ordinals.size(); i++) {
    uint32_t owner = ordinals[i];
    const float* row = &rows[i * stride];
    if (bucket_of[i] >= 0) {
      const uint32_t bucket = static_cast<uint32_t>(bucket_of[i]);
      const bool first = filled[bucket] == shard->bucket_start[bucket];
      shard->bucket_members[filled[bucket]++] = ordinals[i];
      if (!first) continue;
      std::memcpy(&shard->bucket_rows[size_t{bucket} * stride], row, stride * sizeof(float));
      owner = kBucketBit | bucket;
    }
    shard->owner_of_node.push_back(owner);
    if (size_t{nodes} != i) std::memcpy(&rows[size_t{nodes} * stride], row, stride * sizeof(float));
    nodes++;
  }
  shard->built = BuiltVectors(nodes, dims);
  for (uint32_t node = 0; node < nodes; node++) shard->built.Set(node, &rows[size_t{node} * stride]);
  return shard;
}

}  // namespace kindred
