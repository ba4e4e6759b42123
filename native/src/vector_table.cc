#include "vector_table.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "coded_error.h"

namespace kindred {

namespace {

// Zeroed pages that cost nothing until they are touched; null where there are none.
void* Pages(size_t bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? nullptr : at;
}

uint32_t Log2Floor(size_t value) { return 63 - static_cast<uint32_t>(__builtin_clzll(value)); }

}  // namespace

VectorTable::VectorTable(uint32_t dims, Storage storage, EpochDomain& epochs)
    : dims_(dims),
      padded_(PaddedDims(storage, dims)),
      storage_(storage),
      kernels_(KernelsFor(storage)),
      row_bytes_(padded_ * BytesOf(storage)),
      epochs_(epochs) {
  slot_bits_ = Log2Floor(kChunkBytes / row_bytes_);
  slot_mask_ = (1u << slot_bits_) - 1;
  slot_chunks_limit_ = size_t{kMaxOrdinals} >> slot_bits_;
  cells_ = static_cast<std::atomic<std::atomic<uint32_t>*>*>(Pages(kCellChunks * sizeof(*cells_)));
  slots_ = static_cast<std::atomic<uint8_t*>*>(Pages(slot_chunks_limit_ * sizeof(*slots_)));
  if (cells_ == nullptr || slots_ == nullptr) {
    if (cells_ != nullptr) munmap(cells_, kCellChunks * sizeof(*cells_));
    if (slots_ != nullptr) munmap(slots_, slot_chunks_limit_ * sizeof(*slots_));
    throw std::bad_alloc();
  }
}

VectorTable::~VectorTable() {
  const size_t used = (size_t{limit_.load()} + kCellMask) >> kCellBits;
  for (size_t i = 0; i < used; i++) std::free(cells_[i].load());
  for (size_t i = 0; i < slot_chunks_; i++) std::free(slots_[i].load());
  munmap(cells_, kCellChunks * sizeof(*cells_));
  munmap(slots_, slot_chunks_limit_ * sizeof(*slots_));
}

void VectorTable::Reserve(const uint32_t* ordinals, uint32_t count, bool leaps) {
  if (count == 0) return;
  const uint32_t highest = *std::max_element(ordinals, ordinals + count);
  const uint64_t limit = 2ull * limit_.load(std::memory_order_relaxed) + kOrdinalLeap;
  if (highest >= kMaxOrdinals - 1 || (highest >= limit && !leaps))
    RefuseArgument("ordinal " + std::to_string(highest) + " leaps too far: the next ones are below " + std::to_string(limit));
  Reclaim();
  for (uint32_t i = 0; i < count; i++) {
    const size_t chunk = ordinals[i] >> kCellBits;
    if (cells_[chunk].load(std::memory_order_relaxed) == nullptr) AddCells(chunk);
  }
  while (free_.size() < count) AddSlots();
  replaced_.reserve(replaced_.size() + count);
}

bool VectorTable::Put(uint32_t ordinal, const float* vector) noexcept {
  const uint32_t slot = free_.back();
  free_.pop_back();
  kernels_.store(vector, padded_, const_cast<void*>(RowOfSlot(slot)));
  std::atomic<uint32_t>& cell = cells_[ordinal >> kCellBits].load(std::memory_order_relaxed)[ordinal & kCellMask];
  const uint32_t old = cell.load(std::memory_order_relaxed);
  if (ordinal >= limit_.load(std::memory_order_relaxed)) limit_.store(ordinal + 1, std::memory_order_release);
  cell.store(slot, std::memory_order_release);
  if (old != 0) replaced_.push_back(old);
  else size_.fetch_add(1, std::memory_order_release);
  return old != 0;
}

bool VectorTable::Remove(uint32_t ordinal) {
  if (ordinal >= limit_.load(std::memory_order_relaxed)) return false;
  std::atomic<uint32_t>* chunk = cells_[ordinal >> kCellBits].load(std::memory_order_relaxed);
  if (chunk == nullptr) return false;
  const uint32_t old = chunk[ordinal & kCellMask].load(std::memory_order_relaxed);
  if (old == 0) return false;
  replaced_.push_back(old);
  chunk[ordinal & kCellMask].store(0, std::memory_order_release);
  size_.fetch_sub(1, std::memory_order_release);
  return true;
}

void VectorTable::EndBatch() {
  if (replaced_.empty()) return;
  limbo_.push_back({0, {}});
  limbo_.back().slots.swap(replaced_);
  limbo_.back().epoch = epochs_.Advance();
  limbo_size_.fetch_add(static_cast<uint32_t>(limbo_.back().slots.size()), std::memory_order_relaxed);
  Reclaim();
}

void VectorTable::Reclaim() {
  if (limbo_.empty()) return;
  const uint64_t safe = epochs_.SafeBefore();
  while (!limbo_.empty() && limbo_.front().epoch < safe) {
    const std::vector<uint32_t>& slots = limbo_.front().slots;
    free_.insert(free_.end(), slots.begin(), slots.end());
    limbo_size_.fetch_sub(static_cast<uint32_t>(slots.size()), std::memory_order_relaxed);
    limbo_.pop_front();
  }
}

void VectorTable::AddCells(size_t chunk) {
  void* cells = std::calloc(size_t{1} << kCellBits, sizeof(std::atomic<uint32_t>));
  if (cells == nullptr) throw std::bad_alloc();
  memory_.fetch_add((size_t{1} << kCellBits) * sizeof(uint32_t), std::memory_order_relaxed);
  cells_[chunk].store(static_cast<std::atomic<uint32_t>*>(cells), std::memory_order_release);
  // The destructor frees what lies below the limit, so the limit covers each chunk from its first cell on.
  const uint32_t first = static_cast<uint32_t>(chunk << kCellBits) + 1;
  if (limit_.load(std::memory_order_relaxed) < first) limit_.store(first, std::memory_order_release);
}

void VectorTable::AddSlots() {
  if (slot_chunks_ >= slot_chunks_limit_) RefuseArgument("the table is full");
  const uint32_t count = 1u << slot_bits_;
  // Small tables are the rule in tests and for many shards: the first chunk is not touched where it is not used.
  free_.reserve(free_.size() + count);
  void* memory = nullptr;
  if (posix_memalign(&memory, kChunkBytes, kChunkBytes) != 0) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  if (slot_chunks_ >= kHugeFromChunk) madvise(memory, kChunkBytes, MADV_HUGEPAGE);
#endif
  slots_[slot_chunks_].store(static_cast<uint8_t*>(memory), std::memory_order_release);
  const uint32_t first = static_cast<uint32_t>(slot_chunks_ << slot_bits_);
  // Slot 0 means no vector. The lowest are taken first.
  for (uint32_t i = count; i-- > 0;)
    if (first + i != 0) free_.push_back(first + i);
  slot_chunks_++;
  memory_.fetch_add(kChunkBytes, std::memory_order_relaxed);
}

}  // namespace kindred
