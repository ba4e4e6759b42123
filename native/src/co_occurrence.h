// A table of values by item, for the scores of one query.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace kindred::read_model {

// Open addressing over item ordinals; the entries lie densely in the order in which they came.
template <typename Value>
class ItemTable {
 public:
  struct Entry {
    uint32_t item;
    Value value;
  };

  explicit ItemTable(uint32_t capacity = 256) : index_(capacity, 0), mask_(capacity - 1) {}

  // Place of the item's entry, made if it is new; valid until the table goes.
  uint32_t Place(uint32_t item) {
    if ((entries_.size() + 1) * 2 > index_.size()) Grow();
    uint32_t& slot = index_[Slot(item)];
    if (slot == 0) {
      entries_.push_back({item, Value{}});
      slot = static_cast<uint32_t>(entries_.size());
    }
    return slot - 1;
  }
  Value& At(uint32_t place) { return entries_[place].value; }
  Value& operator[](uint32_t item) { return At(Place(item)); }
  // Null where the item has no entry.
  Value* Find(uint32_t item) {
    const uint32_t slot = index_[Slot(item)];
    return slot == 0 ? nullptr : &entries_[slot - 1].value;
  }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  // The slot that holds the item, or the empty one where it belongs.
  uint32_t Slot(uint32_t item) const {
    uint32_t i = (item * 2654435769u) >> 7 & mask_;
    while (index_[i] != 0 && entries_[index_[i] - 1].item != item) i = (i + 1) & mask_;
    return i;
  }
  void Grow() {
    mask_ = static_cast<uint32_t>(index_.size() * 2 - 1);
    index_.assign(std::size_t{mask_} + 1, 0);
    for (uint32_t e = 0; e < entries_.size(); e++) index_[Slot(entries_[e].item)] = e + 1;
  }

  std::vector<uint32_t> index_;  // place + 1; 0 is empty
  std::vector<Entry> entries_;
  uint32_t mask_;
};

}  // namespace kindred::read_model
