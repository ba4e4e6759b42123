// Building blocks of the read model's memory: what readers hold never moves, and every word they share with the
// writer is atomic.
#pragma once
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

#include "coded_error.h"
#include "epoch.h"

namespace kindred::read_model {

using CodedError = IndexError;
inline CodedError InvalidArgument(const std::string& message) { return CodedError("INVALID_ARGUMENT", message); }

// Highest number of users or items; ordinals are below it.
constexpr uint32_t kMaxOrdinals = 1u << 28;
constexpr uint32_t kNoOrdinal = UINT32_MAX;

// Bytes held, retired ones included until they are freed.
class MemoryMeter {
 public:
  void Add(size_t bytes) { bytes_.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed); }
  void Subtract(size_t bytes) { bytes_.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed); }
  double bytes() const { return static_cast<double>(bytes_.load(std::memory_order_relaxed)); }

 private:
  std::atomic<int64_t> bytes_{0};
};

// A block of malloc'd memory that begins with its own size, so that it can be metered when it is freed.
struct Block {
  size_t bytes;
  MemoryMeter* meter;
};

template <typename T>
T* AllocateBlock(MemoryMeter& meter, size_t bytes) {
  void* memory = std::calloc(1, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  T* block = static_cast<T*>(memory);
  block->bytes = bytes;
  block->meter = &meter;
  meter.Add(bytes);
  return block;
}

inline void FreeBlock(Block* block) {
  if (block == nullptr) return;
  block->meter->Subtract(block->bytes);
  std::free(block);
}

// Frees a block once no reader can hold it; it must be unlinked already.
inline void RetireBlock(EpochDomain& epochs, Block* block) {
  if (block != nullptr) epochs.Retire([block] { FreeBlock(block); });
}

// Immutable text.
struct Text : Block {
  uint32_t length;
  char data[1];

  static Text* New(MemoryMeter& meter, std::string_view text) {
    Text* made = AllocateBlock<Text>(meter, sizeof(Text) + text.size());
    made->length = static_cast<uint32_t>(text.size());
    std::memcpy(made->data, text.data(), text.size());
    return made;
  }
  std::string_view view() const { return {data, length}; }
};

// An array that grows without moving: a fixed table of pointers to chunks of zeroed elements.
// T must be valid when zeroed. Written by one thread; read by any, below a size that they have seen published.
template <typename T>
class Chunks {
 public:
  explicit Chunks(MemoryMeter& meter) : meter_(meter), chunks_(new std::atomic<T*>[kMaxChunks]()) { meter_.Add(kMaxChunks * sizeof(T*)); }
  Chunks(const Chunks&) = delete;
  Chunks& operator=(const Chunks&) = delete;
  ~Chunks() {
    for (uint32_t c = 0; c < kMaxChunks; c++) std::free(chunks_[c].load(std::memory_order_relaxed));
  }

  T& operator[](uint32_t index) const { return chunks_[index >> kBits].load(std::memory_order_acquire)[index & (kChunk - 1)]; }

  // Makes place for `index`. Writer only.
  void Reach(uint32_t index) {
    std::atomic<T*>& chunk = chunks_[index >> kBits];
    if (chunk.load(std::memory_order_relaxed) != nullptr) return;
    void* memory = std::calloc(kChunk, sizeof(T));
    if (memory == nullptr) throw std::bad_alloc();
    meter_.Add(kChunk * sizeof(T));
    chunk.store(static_cast<T*>(memory), std::memory_order_release);
  }

  static constexpr uint32_t kBits = 13;
  static constexpr uint32_t kChunk = 1u << kBits;
  // The elements of one chunk, for scans; null where it was never reached.
  const T* chunk(uint32_t number) const { return chunks_[number].load(std::memory_order_acquire); }

 private:
  static constexpr uint32_t kMaxChunks = kMaxOrdinals >> kBits;
  MemoryMeter& meter_;
  std::unique_ptr<std::atomic<T*>[]> chunks_;
};

}  // namespace kindred::read_model
