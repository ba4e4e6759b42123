// Ids to ordinals and back: one writer, readers on any thread that never wait.
#pragma once
#include <string_view>

#include "read_model_memory.h"

namespace kindred::read_model {

// Compares UTF-8 texts in the order of their UTF-16 code units, as JavaScript compares strings: there the surrogate
// pairs (four bytes in UTF-8) come before U+E000..U+FFFF (which begin with EE and EF).
int CompareIds(std::string_view a, std::string_view b);

class IdTable {
 public:
  IdTable(EpochDomain& epochs, MemoryMeter& meter);
  ~IdTable();
  IdTable(const IdTable&) = delete;

  // For readers, inside an EpochGuard: what they are given is valid until the guard ends.
  uint32_t Find(std::string_view id) const;
  // Empty where the id was removed.
  std::string_view Id(uint32_t ordinal) const;
  // Ordinals given so far, removed ones included.
  uint32_t size() const { return size_.load(std::memory_order_acquire); }

  // For the writer. The ordinal that the next new id gets must have been made ready by whoever keys arrays by it.
  uint32_t Add(std::string_view id);
  // Gives an ordinal without an id (a removed one, read from a file).
  uint32_t AddRemoved();
  void Remove(uint32_t ordinal);
  uint32_t live() const { return live_.load(std::memory_order_relaxed); }

 private:
  // A slot holds the hash in its upper half and the ordinal + 1 in its lower one; 0 is empty.
  struct Slots : Block {
    uint32_t mask;
    uint32_t used;  // removed ones included; the writer's
    std::atomic<uint64_t> slots[1];
  };

  uint32_t Hash(std::string_view id) const;
  Slots* NewSlots(uint32_t capacity);
  static void Insert(Slots* table, uint32_t hash, uint32_t ordinal);
  void MakeRoom();

  EpochDomain& epochs_;
  MemoryMeter& meter_;
  // Keyed, as ids come from strangers who could else choose them to collide.
  unsigned char key_[16];
  std::atomic<Slots*> table_;
  Chunks<std::atomic<Text*>> texts_;
  std::atomic<uint32_t> size_{0};
  std::atomic<uint32_t> live_{0};
};

}  // namespace kindred::read_model
