#include "id_table.h"

#include <sodium.h>

#include <algorithm>

namespace kindred::read_model {

namespace {
constexpr uint32_t kRemoved = UINT32_MAX;

unsigned char Rank(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == 0xEE || byte == 0xEF ? static_cast<unsigned char>(byte + 0x10) : byte;
}
}  // namespace

int CompareIds(std::string_view a, std::string_view b) {
  const size_t common = std::min(a.size(), b.size());
  const auto differ = std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(common), b.begin());
  if (differ.first != a.begin() + static_cast<std::ptrdiff_t>(common)) return Rank(*differ.first) < Rank(*differ.second) ? -1 : 1;
  return a.size() < b.size() ? -1 : a.size() > b.size() ? 1 : 0;
}

IdTable::IdTable(EpochDomain& epochs, MemoryMeter& meter) : epochs_(epochs), meter_(meter), texts_(meter) {
  static_assert(sizeof(key_) == crypto_shorthash_KEYBYTES, "SipHash takes 16 bytes");
  if (sodium_init() < 0) throw CodedError("INTERNAL", "libsodium could not be initialised");
  randombytes_buf(key_, sizeof(key_));
  table_.store(NewSlots(1024), std::memory_order_release);
}

IdTable::~IdTable() {
  for (uint32_t ordinal = 0; ordinal < size(); ordinal++) FreeBlock(texts_[ordinal].load(std::memory_order_relaxed));
  FreeBlock(table_.load(std::memory_order_relaxed));
}

uint32_t IdTable::Hash(std::string_view id) const {
  unsigned char out[crypto_shorthash_BYTES];
  crypto_shorthash(out, reinterpret_cast<const unsigned char*>(id.data()), id.size(), key_);
  uint32_t hash;
  std::memcpy(&hash, out, sizeof(hash));
  return hash;
}

uint32_t IdTable::Find(std::string_view id) const {
  const uint32_t hash = Hash(id);
  const Slots* table = table_.load(std::memory_order_acquire);
  for (uint32_t i = hash & table->mask;; i = (i + 1) & table->mask) {
    const uint64_t slot = table->slots[i].load(std::memory_order_acquire);
    if (slot == 0) return kNoOrdinal;
    const auto ordinal = static_cast<uint32_t>(slot) - 1;
    if (static_cast<uint32_t>(slot >> 32) != hash || static_cast<uint32_t>(slot) == kRemoved) continue;
    const Text* text = texts_[ordinal].load(std::memory_order_acquire);
    if (text != nullptr && text->view() == id) return ordinal;
  }
}

std::string_view IdTable::Id(uint32_t ordinal) const {
  const Text* text = texts_[ordinal].load(std::memory_order_acquire);
  return text == nullptr ? std::string_view() : text->view();
}

uint32_t IdTable::Add(std::string_view id) {
  const uint32_t ordinal = AddRemoved();
  MakeRoom();
  texts_[ordinal].store(Text::New(meter_, id), std::memory_order_release);
  Insert(table_.load(std::memory_order_relaxed), Hash(id), ordinal);
  live_.store(live() + 1, std::memory_order_relaxed);
  return ordinal;
}

uint32_t IdTable::AddRemoved() {
  const uint32_t ordinal = size();
  if (ordinal >= kMaxOrdinals) throw CodedError("OVERLOADED", "no ordinals are left");
  texts_.Reach(ordinal);
  size_.store(ordinal + 1, std::memory_order_release);
  return ordinal;
}

void IdTable::Remove(uint32_t ordinal) {
  Text* text = texts_[ordinal].load(std::memory_order_relaxed);
  if (text == nullptr) return;
  Slots* table = table_.load(std::memory_order_relaxed);
  for (uint32_t i = Hash(text->view()) & table->mask;; i = (i + 1) & table->mask) {
    const uint64_t slot = table->slots[i].load(std::memory_order_relaxed);
    if (slot == 0) break;
    if (static_cast<uint32_t>(slot) - 1 != ordinal) continue;
    // Not emptied: a later id may lie behind it.
    table->slots[i].store((slot & ~uint64_t{UINT32_MAX}) | kRemoved, std::memory_order_release);
    break;
  }
  texts_[ordinal].store(nullptr, std::memory_order_release);
  RetireBlock(epochs_, text);
  live_.store(live() - 1, std::memory_order_relaxed);
}

IdTable::Slots* IdTable::NewSlots(uint32_t capacity) {
  Slots* table = AllocateBlock<Slots>(meter_, sizeof(Slots) + capacity * sizeof(std::atomic<uint64_t>));
  table->mask = capacity - 1;
  return table;
}

void IdTable::Insert(Slots* table, uint32_t hash, uint32_t ordinal) {
  uint32_t i = hash & table->mask;
  while (table->slots[i].load(std::memory_order_relaxed) != 0) i = (i + 1) & table->mask;
  table->used++;
  table->slots[i].store((uint64_t{hash} << 32) | (ordinal + 1), std::memory_order_release);
}

void IdTable::MakeRoom() {
  Slots* old = table_.load(std::memory_order_relaxed);
  const uint64_t capacity = uint64_t{old->mask} + 1;
  if ((uint64_t{old->used} + 1) * 3 < capacity * 2) return;
  uint64_t wanted = 1024;
  while (wanted < uint64_t{live()} * 3) wanted *= 2;
  Slots* grown = NewSlots(static_cast<uint32_t>(wanted));
  for (uint32_t i = 0; i <= old->mask; i++) {
    const uint64_t slot = old->slots[i].load(std::memory_order_relaxed);
    if (slot == 0 || static_cast<uint32_t>(slot) == kRemoved) continue;
    Insert(grown, static_cast<uint32_t>(slot >> 32), static_cast<uint32_t>(slot) - 1);
  }
  table_.store(grown, std::memory_order_release);
  RetireBlock(epochs_, old);
}

}  // namespace kindred::read_model
