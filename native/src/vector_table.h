// The dense table of current vectors, by ordinal. One writer at a time, any number of readers that never wait.
//
// A new vector is written to a spare slot and published by one atomic store of the slot's number; the old slot waits in
// limbo until no reader can be looking at it. So no reader ever sees half a vector. Memory comes in chunks that never
// move. This file knows nothing of graphs.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "epoch.h"
#include "kernels.h"

namespace kindred {

class VectorTable {
 public:
  // Ordinals are below this.
  static constexpr uint32_t kMaxOrdinals = 1u << 31;
  // An ordinal may be at most this far above twice the highest so far: a mistaken one must not cost gigabytes.
  static constexpr uint64_t kOrdinalLeap = 1u << 24;

  VectorTable(uint32_t dims, Storage storage, EpochDomain& epochs);
  ~VectorTable();
  VectorTable(const VectorTable&) = delete;
  VectorTable& operator=(const VectorTable&) = delete;

  // ---- readers, inside an EpochGuard of the same domain ----

  // Null where the ordinal has no vector.
  const void* Row(uint32_t ordinal) const {
    const uint32_t slot = SlotOf(ordinal);
    return slot == 0 ? nullptr : RowOfSlot(slot);
  }
  // The steps of Row apart, so that a walk can prefetch between them. Null: no vector.
  const std::atomic<uint32_t>* Cell(uint32_t ordinal) const {
    const std::atomic<uint32_t>* chunk = cells_[ordinal >> kCellBits].load(std::memory_order_acquire);
    return chunk == nullptr ? nullptr : chunk + (ordinal & kCellMask);
  }
  // 0: no vector.
  uint32_t SlotOf(uint32_t ordinal) const {
    const std::atomic<uint32_t>* cell = Cell(ordinal);
    return cell == nullptr ? 0 : cell->load(std::memory_order_acquire);
  }
  const void* RowOfSlot(uint32_t slot) const {
    return slots_[slot >> slot_bits_].load(std::memory_order_relaxed) + static_cast<size_t>(slot & slot_mask_) * row_bytes_;
  }
  // Every ordinal with a vector is below this.
  uint32_t OrdinalLimit() const { return limit_.load(std::memory_order_acquire); }

  uint32_t size() const { return size_.load(std::memory_order_acquire); }
  uint32_t dims() const { return dims_; }
  uint32_t padded_dims() const { return padded_; }
  size_t row_bytes() const { return row_bytes_; }
  Storage storage() const { return storage_; }
  const Kernels& kernels() const { return kernels_; }

  // ---- the writer ----

  // Makes room for a batch, so that what follows cannot fail in the middle. Throws IndexError or std::bad_alloc.
  // `leaps`: ordinals may lie as high as they like.
  void Reserve(const uint32_t* ordinals, uint32_t count, bool leaps = false);
  // `vector` has padded_dims() floats. Returns whether the ordinal had one before. Room was reserved.
  bool Put(uint32_t ordinal, const float* vector) noexcept;
  bool Remove(uint32_t ordinal);
  // After each batch: what it replaced goes to limbo.
  void EndBatch();
  // Takes back what no reader can see any more; EndBatch and Reserve do it too.
  void Reclaim();

  // Figures; slots in limbo wait for readers.
  size_t MemoryBytes() const { return memory_.load(std::memory_order_relaxed); }
  uint32_t LimboSlots() const { return limbo_size_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint32_t kCellBits = 16;
  static constexpr uint32_t kCellMask = (1u << kCellBits) - 1;
  static constexpr size_t kCellChunks = kMaxOrdinals >> kCellBits;
  static constexpr size_t kChunkBytes = 2u << 20;  // as a huge page
  // From so many chunks on the table asks for huge pages: a walk touches rows at random, and misses the TLB each time.
  static constexpr size_t kHugeFromChunk = 8;

  void AddCells(size_t chunk);
  void AddSlots();

  const uint32_t dims_, padded_;
  const Storage storage_;
  const Kernels& kernels_;
  const size_t row_bytes_;
  uint32_t slot_bits_, slot_mask_;
  EpochDomain& epochs_;

  // Directories in zeroed memory that is only touched where used.
  std::atomic<std::atomic<uint32_t>*>* cells_;
  std::atomic<uint8_t*>* slots_;
  size_t slot_chunks_limit_;
  std::atomic<uint32_t> limit_{0}, size_{0}, limbo_size_{0};
  std::atomic<size_t> memory_{0};

  // The writer's own.
  struct Limbo {
    uint64_t epoch;
    std::vector<uint32_t> slots;
  };
  size_t slot_chunks_ = 0;
  std::vector<uint32_t> free_, replaced_;
  std::deque<Limbo> limbo_;
};

}  // namespace kindred
