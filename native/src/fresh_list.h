// Ordinals that the graph of a shard cannot find: not in it yet, or drifted away from where it has them. Appended to by
// the writer, read by anyone at the same time; it only grows, the next swap begins another.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "hnsw_graph.h"

namespace kindred {

struct FreshEntry {
  uint32_t ordinal;
  int32_t node;  // in the graph of the same shard state; kNoNode where it is in none
};

class FreshList {
 public:
  FreshList() : first_(std::make_unique<Chunk>()), last_(first_.get()) {}
  ~FreshList() {
    // One after the other: a chain of unique_ptr would recurse as deep as it is long.
    std::unique_ptr<Chunk> chunk = std::move(first_);
    while (chunk != nullptr) chunk.reset(chunk->next.exchange(nullptr));
  }
  FreshList(const FreshList&) = delete;
  FreshList& operator=(const FreshList&) = delete;

  uint32_t size() const { return size_.load(std::memory_order_acquire); }
  size_t MemoryBytes() const { return (size() / kChunk + 1) * sizeof(Chunk); }

  // Each entry that was there when it was called; `look` returns false to stop.
  template <typename Look>
  void ForEach(Look look) const {
    uint32_t left = size();
    for (const Chunk* chunk = first_.get(); left > 0; chunk = chunk->next.load(std::memory_order_acquire)) {
      const uint32_t count = left < kChunk ? left : kChunk;
      for (uint32_t i = 0; i < count; i++)
        if (!look(chunk->entries[i])) return;
      left -= count;
    }
  }

  // ---- the writer ----
  // After it so many Appends cannot fail.
  void Reserve(uint32_t count) {
    const uint32_t size = size_.load(std::memory_order_relaxed);
    // A full last chunk has no room: only the first chunk is there before anything is in it.
    const uint32_t room = size == 0 ? kChunk : (kChunk - size % kChunk) % kChunk;
    for (size_t have = room + spare_.size() * kChunk; have < count; have += kChunk) spare_.push_back(std::make_unique<Chunk>());
  }
  void Append(FreshEntry entry) {
    const uint32_t size = size_.load(std::memory_order_relaxed);
    if (size != 0 && size % kChunk == 0) {
      if (spare_.empty()) spare_.push_back(std::make_unique<Chunk>());
      Chunk* next = spare_.back().release();
      spare_.pop_back();
      last_->next.store(next, std::memory_order_release);
      last_ = next;
    }
    last_->entries[size % kChunk] = entry;
    size_.store(size + 1, std::memory_order_release);
  }

 private:
  static constexpr uint32_t kChunk = 1024;
  struct Chunk {
    FreshEntry entries[kChunk];
    std::atomic<Chunk*> next{nullptr};
  };
  std::unique_ptr<Chunk> first_;
  Chunk* last_;
  std::atomic<uint32_t> size_{0};
  std::vector<std::unique_ptr<Chunk>> spare_;
};

}  // namespace kindred
