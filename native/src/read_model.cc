#include "read_model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace kindred::read_model {

UserRow* UserRow::New(MemoryMeter& meter, uint32_t count) {
  UserRow* row = AllocateBlock<UserRow>(meter, sizeof(UserRow) + size_t{count} * (sizeof(uint32_t) + sizeof(float)));
  row->count = count;
  return row;
}

Ring* Ring::New(MemoryMeter& meter, uint32_t capacity) {
  Ring* ring = AllocateBlock<Ring>(meter, sizeof(Ring) + capacity * sizeof(std::atomic<uint32_t>));
  ring->capacity = capacity;
  return ring;
}

Applied* Applied::New(MemoryMeter& meter, uint32_t count) {
  Applied* applied = AllocateBlock<Applied>(meter, sizeof(Applied) + count * sizeof(Part));
  applied->count = count;
  return applied;
}

ReadModel::ReadModel(const Limits& limits)
    : limits_(limits),
      users_(epochs_, meter_),
      items_(epochs_, meter_),
      bands_(epochs_, meter_, limits.bucket_cap),
      rows_(meter_),
      item_users_(meter_),
      item_listeners_(meter_),
      infos_(meter_),
      publications_(Ring::New(meter_, limits.recent_publications)),
      applied_(Applied::New(meter_, 0)) {}

ReadModel::~ReadModel() {
  // What was retired is metered by this model too: it goes first.
  epochs_.Collect();
  for (uint32_t user = 0; user < users_.size(); user++) FreeBlock(rows_[user].load(std::memory_order_relaxed));
  for (uint32_t item = 0; item < items_.size(); item++) {
    FreeBlock(item_listeners_[item].load(std::memory_order_relaxed));
    FreeBlock(infos_[item].load(std::memory_order_relaxed));
  }
  FreeBlock(publications_.load(std::memory_order_relaxed));
  FreeBlock(applied_.load(std::memory_order_relaxed));
}

void ReadModel::CheckUsers(const uint32_t* ordinals, size_t count) const {
  const uint32_t size = users_.size();
  for (size_t i = 0; i < count; i++)
    if (ordinals[i] >= size) throw InvalidArgument("user " + std::to_string(ordinals[i]) + " is not an ordinal of this read model");
}

void ReadModel::CheckItems(const uint32_t* ordinals, size_t count) const {
  const uint32_t size = items_.size();
  for (size_t i = 0; i < count; i++)
    if (ordinals[i] >= size) throw InvalidArgument("item " + std::to_string(ordinals[i]) + " is not an ordinal of this read model");
}

void ReadModel::CheckBatch(const Batch& batch) {
  if (batch.numbers.size() != batch.users.size() || batch.counts.size() != batch.users.size())
    throw InvalidArgument("a batch has one count and one set of numbers a user");
  size_t total = 0;
  for (const uint32_t count : batch.counts) {
    if (count > UINT16_MAX) throw InvalidArgument("a profile has at most 65535 items");
    total += count;
  }
  if (total != batch.item_count) throw InvalidArgument("items and weights must be as many as the profiles count");
  for (size_t i = 0; i < total; i++)
    if (!std::isfinite(batch.weights[i])) throw InvalidArgument("weights must be finite");
  const uint32_t known = items_.size();
  const auto added = static_cast<uint32_t>(batch.new_items.size());
  if (known + added > kMaxOrdinals || users_.size() + batch.users.size() > kMaxOrdinals) throw CodedError("OVERLOADED", "no ordinals are left");
  marks_.resize(std::max<size_t>(marks_.size(), known + added));
  const uint32_t* item = batch.items;
  for (const uint32_t count : batch.counts) {
    const uint32_t mark = ++mark_;
    for (uint32_t i = 0; i < count; i++, item++) {
      const bool is_new = *item >= kNewItem;
      const uint32_t index = is_new ? *item - kNewItem : *item;
      if (index >= (is_new ? added : known)) throw InvalidArgument("a profile names an item that is not there");
      uint32_t& seen = marks_[is_new ? known + index : index];
      if (seen == mark) throw InvalidArgument("a profile names each item once");
      seen = mark;
    }
  }
}

std::vector<uint32_t> ReadModel::Apply(const Batch& batch) {
  const std::lock_guard<std::mutex> lock(writer_);
  // Three marks a row are used at most.
  if (mark_ > UINT32_MAX - 4 * (batch.users.size() + 1)) {
    std::fill(marks_.begin(), marks_.end(), 0);
    mark_ = 0;
  }
  CheckBatch(batch);
  for (const std::string& id : batch.erased) {
    const uint32_t user = users_.Find(id);
    if (user != kNoOrdinal) Erase(user);
  }
  std::vector<uint32_t> ordinals(batch.users.size());
  std::vector<uint32_t> added;
  added.reserve(batch.new_items.size());
  for (const std::string& id : batch.new_items) {
    const uint32_t item = items_.Find(id);
    added.push_back(item == kNoOrdinal ? AddItem(id) : item);
  }
  size_t at = 0;
  for (size_t r = 0; r < batch.users.size(); r++) {
    const uint32_t found = users_.Find(batch.users[r]);
    const uint32_t user = ordinals[r] = found == kNoOrdinal ? AddUser(batch.users[r]) : found;
    UserRow* row = UserRow::New(meter_, batch.counts[r]);
    row->numbers = batch.numbers[r];
    for (uint32_t i = 0; i < row->count; i++, at++) {
      const uint32_t item = batch.items[at];
      row->items()[i] = item >= kNewItem ? added[item - kNewItem] : item;
      row->weights()[i] = batch.weights[at];
      if (batch.weights[at] > 0) row->positive_weight += batch.weights[at];
    }
    Publish(user, row);
  }
  ordinals.insert(ordinals.end(), added.begin(), added.end());
  return ordinals;
}

void ReadModel::ReachUser(uint32_t ordinal) {
  if (ordinal >= kMaxOrdinals) throw CodedError("OVERLOADED", "no ordinals are left");
  bands_.Reach(ordinal);
  rows_.Reach(ordinal);
}

void ReadModel::ReachItem(uint32_t ordinal) {
  if (ordinal >= kMaxOrdinals) throw CodedError("OVERLOADED", "no ordinals are left");
  item_users_.Reach(ordinal);
  item_listeners_.Reach(ordinal);
  infos_.Reach(ordinal);
  if (marks_.size() <= ordinal) marks_.resize(size_t{ordinal} + 1);
}

uint32_t ReadModel::AddUser(const std::string& id) {
  ReachUser(users_.size());
  return users_.Add(id);
}

uint32_t ReadModel::AddItem(const std::string& id) {
  ReachItem(items_.size());
  return items_.Add(id);
}

void ReadModel::Publish(uint32_t user, UserRow* fresh) {
  UserRow* old = rows_[user].load(std::memory_order_relaxed);
  Ring* publications = publications_.load(std::memory_order_relaxed);
  fresh->publication = ++publication_;
  publications->slots[(publication_ - 1) % publications->capacity].store(user, std::memory_order_relaxed);
  publications->head.store(publication_, std::memory_order_release);
  rows_[user].store(fresh, std::memory_order_release);
  if (fresh->numbers.has_fingerprint != 0)
    bands_.Set(user, fresh->numbers.fingerprint);
  else
    bands_.Clear(user);

  const uint32_t held = ++mark_;
  const uint32_t kept = ++mark_;
  for (uint32_t i = 0; old != nullptr && i < old->count; i++)
    if (old->weights()[i] > 0) marks_[old->items()[i]] = held;
  for (uint32_t i = 0; i < fresh->count; i++) {
    if (!(fresh->weights()[i] > 0)) continue;
    const uint32_t item = fresh->items()[i];
    if (marks_[item] == held)
      marks_[item] = kept;
    else
      Join(item, user);
  }
  for (uint32_t i = 0; old != nullptr && i < old->count; i++)
    if (old->weights()[i] > 0 && marks_[old->items()[i]] == held) item_users_[old->items()[i]].fetch_sub(1, std::memory_order_relaxed);
  RetireBlock(epochs_, old);
}

void ReadModel::Erase(uint32_t user) {
  UserRow* old = rows_[user].load(std::memory_order_relaxed);
  if (old == nullptr) return;
  rows_[user].store(nullptr, std::memory_order_release);
  users_.Remove(user);
  bands_.Clear(user);
  for (uint32_t i = 0; i < old->count; i++)
    if (old->weights()[i] > 0) item_users_[old->items()[i]].fetch_sub(1, std::memory_order_relaxed);
  RetireBlock(epochs_, old);
}

void ReadModel::Join(uint32_t item, uint32_t user) {
  item_users_[item].fetch_add(1, std::memory_order_relaxed);
  std::atomic<Ring*>& slot = item_listeners_[item];
  Ring* ring = slot.load(std::memory_order_relaxed);
  const uint64_t head = ring == nullptr ? 0 : ring->head.load(std::memory_order_relaxed);
  if (ring == nullptr || (head == ring->capacity && ring->capacity < limits_.listeners_per_item)) {
    Ring* grown = Ring::New(meter_, std::min(limits_.listeners_per_item, ring == nullptr ? 4 : ring->capacity * 2));
    for (uint32_t i = 0; i < head; i++) grown->slots[i].store(ring->slots[i].load(std::memory_order_relaxed), std::memory_order_relaxed);
    grown->head.store(head, std::memory_order_relaxed);
    slot.store(grown, std::memory_order_release);
    RetireBlock(epochs_, ring);
    ring = grown;
  }
  ring->slots[head % ring->capacity].store(user, std::memory_order_relaxed);
  ring->head.store(head + 1, std::memory_order_release);
}

void ReadModel::SetApplied(uint32_t partition, double offset, double event_time) {
  const std::lock_guard<std::mutex> lock(writer_);
  Applied* old = applied_.load(std::memory_order_relaxed);
  uint32_t at = 0;
  while (at < old->count && old->parts[at].partition != partition) at++;
  Applied* fresh = Applied::New(meter_, std::max(old->count, at + 1));
  std::copy(old->parts, old->parts + old->count, fresh->parts);
  fresh->event_time = std::max(old->event_time, event_time);
  if (at == old->count || old->parts[at].offset < offset) fresh->parts[at] = {partition, offset};
  applied_.store(fresh, std::memory_order_release);
  RetireBlock(epochs_, old);
}

void ReadModel::PutItemInfo(const std::vector<std::string>& items, const std::vector<std::string>& json) {
  const std::lock_guard<std::mutex> lock(writer_);
  if (items.size() != json.size()) throw InvalidArgument("items and json must be of one length");
  for (size_t i = 0; i < items.size(); i++) {
    const uint32_t found = items_.Find(items[i]);
    const uint32_t item = found == kNoOrdinal ? AddItem(items[i]) : found;
    Text* old = infos_[item].load(std::memory_order_relaxed);
    infos_[item].store(Text::New(meter_, json[i]), std::memory_order_release);
    RetireBlock(epochs_, old);
  }
}

Stats ReadModel::stats() {
  const EpochGuard guard(epochs_);
  return {users_.live(), items_.live(), meter_.bytes(), bands_.stats()};
}

}  // namespace kindred::read_model
