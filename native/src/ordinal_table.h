// A table of values by ordinal, of items or of users, for one query.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace kindred::read_model {

// Open addressing over ordinals; the entries lie densely in the order in which they came.
template <typename Value>
class OrdinalTable {
 public:
  struct Entry {
    uint32_t ordinal;
    Value value;
  };

  explicit OrdinalTable(uint32_t capacity = 256) : index_(capacity, 0), mask_(capacity - 1) {}

  // Place of the ordinal's entry, made if it is new; valid until the table goes.
  uint32_t Place(uint32_t ordinal) {
    if ((entries_.size() + 1) * 2 > index_.size()) Grow();
    uint32_t& slot = index_[Slot(ordinal)];
    if (slot == 0) {
      entries_.push_back({ordinal, Value{}});
      slot = static_cast<uint32_t>(entries_.size());
    }
    return slot - 1;
  }
  Value& At(uint32_t place) { return entries_[place].value; }
  Value& operator[](uint32_t ordinal) { return At(Place(ordinal)); }
  // Null where the ordinal has no entry.
  Value* Find(uint32_t ordinal) {
    const uint32_t slot = index_[Slot(ordinal)];
    return slot == 0 ? nullptr : &entries_[slot - 1].value;
  }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  // The slot that holds the ordinal, or the empty one where it belongs.
  uint32_t Slot(uint32_t ordinal) const {
    uint32_t i = (ordinal * 2654435769u) >> 7 & mask_;
    while (index_[i] != 0 && entries_[index_[i] - 1].ordinal != ordinal) i = (i + 1) & mask_;
    return i;
  }
  void Grow() {
    mask_ = static_cast<uint32_t>(index_.size() * 2 - 1);
    index_.assign(std::size_t{mask_} + 1, 0);
    for (uint32_t e = 0; e < entries_.size(); e++) index_[Slot(entries_[e].ordinal)] = e + 1;
  }

  std::vector<uint32_t> index_;  // place + 1; 0 is empty
  std::vector<Entry> entries_;
  uint32_t mask_;
};

}  // namespace kindred::read_model
