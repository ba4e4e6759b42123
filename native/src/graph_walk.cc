#include "graph_walk.h"

#include <algorithm>
#include <limits>

namespace kindred {

namespace {

constexpr float kNoScore = -std::numeric_limits<float>::infinity();
constexpr uint32_t kMostNeighbors = 128;  // 2 * the largest m
// The clock is looked at each so many expansions, some 30 us.
constexpr uint32_t kExpansionsPerClock = 16;

class Walk {
 public:
  Walk(const ShardGraph& shard, const VectorTable& table, const float* query, const OrdinalFilter& filter, WalkScratch& scratch, TopK& found, uint32_t ef,
       int64_t& scores_left)
      : shard_(shard), table_(table), query_(query), filter_(filter), scratch_(scratch), found_(found), ghosts_left_(2 * ef + 64), scores_left_(scores_left) {}

  WalkEnd Run(const Deadline& deadline) {
    scratch_.Begin(shard_.nodes());
    const WalkScratch::Candidate start = Descend();
    scratch_.Visit(start.node);
    Offer(start.score, shard_.owner_of_node[start.node]);
    Push(start);
    uint32_t expansions = 0;
    while (!scratch_.candidates.empty()) {
      const WalkScratch::Candidate best = scratch_.candidates.front();
      if (found_.full() && !found_.Accepts(best.score)) return WalkEnd::kComplete;
      std::pop_heap(scratch_.candidates.begin(), scratch_.candidates.end());
      scratch_.candidates.pop_back();
      const uint32_t owner = shard_.owner_of_node[best.node];
      if (owner & kBucketBit) OfferMembers(owner & ~kBucketBit);
      Expand(best);
      if (scores_left_ < 0) return WalkEnd::kSpent;
      if (++expansions % kExpansionsPerClock == 0 && deadline.Passed()) return WalkEnd::kDeadline;
    }
    return WalkEnd::kComplete;
  }

 private:
  // Greedily through the upper levels.
  WalkScratch::Candidate Descend() {
    uint32_t at = static_cast<uint32_t>(shard_.graph->entry());
    float best = ScoreOne(at);
    for (int level = shard_.graph->max_level(); level > 0; level--) {
      for (bool moved = true; moved;) {
        moved = false;
        const uint32_t count = Gather(shard_.graph->Neighbors(at, level), shard_.graph->Width(level), false);
        const uint32_t live = Fetch(count, nullptr);
        table_.kernels().scores(query_, rows_, live, table_.padded_dims(), scores_);
        for (uint32_t i = 0; i < live; i++) {
          if (!(scores_[i] > best)) continue;
          best = scores_[i];
          at = nodes_[i];
          moved = true;
        }
        OfBuckets([&](float score, uint32_t node) {
          if (score > best) {
            best = score;
            at = node;
            moved = true;
          }
        });
      }
    }
    return {best, at};
  }

  void Expand(const WalkScratch::Candidate& from) {
    const uint32_t count = Gather(shard_.graph->Neighbors(from.node, 0), shard_.graph->Width(0), true);
    const uint32_t live = Fetch(count, &from);
    scores_left_ -= live;
    table_.kernels().scores(query_, rows_, live, table_.padded_dims(), scores_);
    for (uint32_t i = 0; i < live; i++) {
      if (found_.full() && !found_.Accepts(scores_[i])) continue;
      Offer(scores_[i], owners_[i]);
      Push({scores_[i], nodes_[i]});
    }
    OfBuckets([&](float score, uint32_t node) {
      if (!found_.full() || found_.Accepts(score)) Push({score, node});
    });
    if (!scratch_.candidates.empty()) __builtin_prefetch(shard_.graph->Neighbors(scratch_.candidates.front().node, 0));
  }

  // Neighbours to look at go to nodes_, and what comes next of them is prefetched.
  uint32_t Gather(const int32_t* list, uint32_t width, bool once) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < width && list[i] != kNoNode; i++) {
      const uint32_t node = static_cast<uint32_t>(list[i]);
      if (once && !scratch_.Visit(node)) continue;
      __builtin_prefetch(&shard_.owner_of_node[node]);
      nodes_[count++] = node;
    }
    return count;
  }

  // From nodes_ to rows in steps, so that the loads of all neighbours are under way at the same time. Buckets go to a
  // list of their own; the gone are passed over at the score of `from`. Returns how many rows there are.
  uint32_t Fetch(uint32_t count, const WalkScratch::Candidate* from) {
    buckets_ = 0;
    uint32_t users = 0;
    for (uint32_t i = 0; i < count; i++) {
      const uint32_t owner = shard_.owner_of_node[nodes_[i]];
      if (owner & kBucketBit) {
        bucket_nodes_[buckets_++] = nodes_[i];
        continue;
      }
      const std::atomic<uint32_t>* cell = owner == kNoOrdinalMark ? nullptr : table_.Cell(owner);
      if (cell != nullptr) __builtin_prefetch(cell);
      cells_[users] = cell;
      owners_[users] = owner;
      nodes_[users++] = nodes_[i];
    }
    uint32_t live = 0;
    for (uint32_t i = 0; i < users; i++) {
      const uint32_t slot = cells_[i] == nullptr ? 0 : cells_[i]->load(std::memory_order_acquire);
      if (slot == 0) {
        if (from != nullptr && ghosts_left_ > 0) {
          ghosts_left_--;
          Push({from->score, nodes_[i]});
        }
        continue;
      }
      const char* row = static_cast<const char*>(table_.RowOfSlot(slot));
      for (size_t at = 0; at < table_.row_bytes(); at += 64) __builtin_prefetch(row + at);
      rows_[live] = row;
      owners_[live] = owners_[i];
      nodes_[live++] = nodes_[i];
    }
    return live;
  }

  template <typename Look>
  void OfBuckets(Look look) {
    for (uint32_t i = 0; i < buckets_; i++) look(BucketScore(shard_.owner_of_node[bucket_nodes_[i]]), bucket_nodes_[i]);
  }

  float BucketScore(uint32_t owner) {
    const void* row = shard_.BucketRow(owner);
    float score;
    KernelsFor(Storage::kFloat32).scores(query_, &row, 1, shard_.bucket_stride, &score);
    return score;
  }

  float ScoreOne(uint32_t node) {
    const uint32_t owner = shard_.owner_of_node[node];
    if (owner & kBucketBit) return BucketScore(owner);
    const void* row = owner == kNoOrdinalMark ? nullptr : table_.Row(owner);
    if (row == nullptr) return kNoScore;
    float score;
    table_.kernels().scores(query_, &row, 1, table_.padded_dims(), &score);
    return score;
  }

  void Offer(float score, uint32_t owner) {
    if (score == kNoScore || owner >= kNoOrdinalMark) return;
    if (found_.Accepts(score) && filter_.Passes(owner)) found_.Offer({score, owner});
  }

  void OfferMembers(uint32_t bucket) {
    const uint32_t limit = table_.OrdinalLimit();
    scores_left_ -= shard_.bucket_start[bucket + 1] - shard_.bucket_start[bucket];
    for (uint32_t i = shard_.bucket_start[bucket]; i < shard_.bucket_start[bucket + 1]; i++) {
      const uint32_t ordinal = shard_.bucket_members[i];
      const void* row = ordinal < limit ? table_.Row(ordinal) : nullptr;
      if (row == nullptr) continue;
      float score;
      table_.kernels().scores(query_, &row, 1, table_.padded_dims(), &score);
      if (!found_.Accepts(score) || !filter_.Passes(ordinal)) continue;
      found_.Offer({score, ordinal});
      scratch_.scored_members.Add(ordinal);
    }
  }

  void Push(const WalkScratch::Candidate& candidate) {
    scratch_.candidates.push_back(candidate);
    std::push_heap(scratch_.candidates.begin(), scratch_.candidates.end());
  }

  const ShardGraph& shard_;
  const VectorTable& table_;
  const float* query_;
  const OrdinalFilter& filter_;
  WalkScratch& scratch_;
  TopK& found_;
  uint32_t ghosts_left_;
  int64_t& scores_left_;
  uint32_t buckets_ = 0;
  uint32_t nodes_[kMostNeighbors], owners_[kMostNeighbors], bucket_nodes_[kMostNeighbors];
  const std::atomic<uint32_t>* cells_[kMostNeighbors];
  const void* rows_[kMostNeighbors];
  float scores_[kMostNeighbors];
};

}  // namespace

WalkEnd WalkGraph(const ShardGraph& shard, const VectorTable& table, const float* query, const OrdinalFilter& filter, const Deadline& deadline,
                  WalkScratch& scratch, TopK& found, uint32_t ef, int64_t& scores_left) {
  return Walk(shard, table, query, filter, scratch, found, ef, scores_left).Run(deadline);
}

}  // namespace kindred
