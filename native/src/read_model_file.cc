// Saving the read model and reading it back: ids, rows, listeners, side information and the applied position.
// Counts and bands are made anew from the rows.
#include <algorithm>
#include <cmath>

#include "read_model.h"
#include "read_model_stream.h"

namespace kindred::read_model {

namespace {
constexpr char kMagic[9] = "KINDREDM";
constexpr uint32_t kVersion = 1;
constexpr char kName[] = "read-model.bin";
// In UTF-8: three bytes for each UTF-16 code unit at most.
constexpr uint32_t kLongestId = 128 * 3;
constexpr uint32_t kLongestInfo = (1u << 20) * 3;
}  // namespace

// What must be of one moment; what the pointers lead to is kept by the guard of who took it.
struct ReadModel::Snapshot {
  std::vector<std::string_view> ids;
  std::vector<const UserRow*> rows;
  std::vector<uint32_t> publications;  // oldest first
  uint64_t publication;
  uint32_t items;
  const Applied* applied;
};

ReadModel::Snapshot ReadModel::TakeSnapshot() {
  const std::lock_guard<std::mutex> lock(writer_);
  Snapshot taken{{}, {}, {}, publication_, items_.size(), applied()};
  const uint32_t users = users_.size();
  taken.ids.reserve(users);
  taken.rows.reserve(users);
  for (uint32_t user = 0; user < users; user++) {
    taken.ids.push_back(users_.Id(user));
    taken.rows.push_back(row(user));
  }
  const Ring* ring = publications_.load(std::memory_order_relaxed);
  for (uint32_t back = ring->held(publication_); back-- > 0;) taken.publications.push_back(ring->Back(publication_, back));
  return taken;
}

void ReadModel::Save(const std::string& directory) {
  // The writer goes on while the file is written: rows that it replaces meanwhile are freed later.
  const EpochGuard guard(epochs_);
  const Snapshot taken = TakeSnapshot();
  FileWriter file(directory, kName, kMagic, kVersion);
  file.Number(taken.applied->event_time);
  file.Number(taken.applied->count);
  for (uint32_t i = 0; i < taken.applied->count; i++) {
    file.Number(taken.applied->parts[i].partition);
    file.Number(taken.applied->parts[i].offset);
  }
  file.Number(taken.publication);
  file.Number(taken.items);
  const auto users = static_cast<uint32_t>(taken.rows.size());
  file.Number(users);
  for (uint32_t item = 0; item < taken.items; item++) WriteItem(file, item, users);
  for (uint32_t user = 0; user < users; user++) {
    const UserRow* row = taken.rows[user];
    // No id: erased.
    file.String(row == nullptr ? std::string_view() : taken.ids[user]);
    if (row == nullptr) continue;
    file.Number(row->numbers.fingerprint);
    file.Number(row->numbers.has_fingerprint);
    file.Number(row->numbers.partition);
    file.Number(row->numbers.events);
    file.Number(row->numbers.updated_at);
    file.Number(row->numbers.offset);
    file.Number(row->publication);
    file.Number(row->count);
    file.Bytes(row->items(), size_t{row->count} * (sizeof(uint32_t) + sizeof(float)));
  }
  file.Number(static_cast<uint32_t>(taken.publications.size()));
  file.Bytes(taken.publications.data(), taken.publications.size() * sizeof(uint32_t));
  file.Finish();
}

// Its listeners may be newer than the snapshot: each is checked against the row when it is asked for, and who joined
// since joins again when the log is caught up. Only users that the file does not hold are left out.
void ReadModel::WriteItem(FileWriter& file, uint32_t item, uint32_t users) const {
  file.String(items_.Id(item));
  const Text* info = this->info(item);
  file.Number(static_cast<uint8_t>(info != nullptr));
  if (info != nullptr) file.String(info->view());
  std::vector<uint32_t> listeners;
  if (const Ring* ring = item_listeners_[item].load(std::memory_order_acquire)) {
    const uint64_t head = ring->head.load(std::memory_order_acquire);
    for (uint32_t back = ring->held(head); back-- > 0;)
      if (const uint32_t user = ring->Back(head, back); user < users) listeners.push_back(user);
  }
  file.Number(static_cast<uint32_t>(listeners.size()));
  file.Bytes(listeners.data(), listeners.size() * sizeof(uint32_t));
}

bool ReadModel::Load(const std::string& directory) {
  const std::lock_guard<std::mutex> lock(writer_);
  const std::string path = directory + "/" + kName;
  if (!FileReader::Exists(path)) return false;
  FileReader file(path, kMagic, kVersion);
  const auto event_time = file.Number<double>();
  const auto parts = file.Number<uint32_t>();
  if (parts > UINT16_MAX + 1u || !std::isfinite(event_time)) file.Corrupt("its position cannot be");
  Applied* applied = Applied::New(meter_, parts);
  FreeBlock(applied_.exchange(applied, std::memory_order_acq_rel));
  applied->event_time = event_time;
  for (uint32_t i = 0; i < parts; i++) {
    applied->parts[i].partition = file.Number<uint32_t>();
    applied->parts[i].offset = file.Number<double>();
  }
  publication_ = file.Number<uint64_t>();
  const auto items = file.Number<uint32_t>();
  const auto users = file.Number<uint32_t>();
  if (items > kMaxOrdinals || users > kMaxOrdinals) file.Corrupt("more users or items than can be");
  for (uint32_t i = 0; i < items; i++) ReadItem(file);
  for (uint32_t i = 0; i < users; i++) ReadUser(file);
  ReadPublications(file);
  file.Finish();
  return true;
}

void ReadModel::ReadItem(FileReader& file) {
  const std::string id = file.String(kLongestId);
  if (id.empty() || items_.Find(id) != kNoOrdinal) file.Corrupt("an item is there twice");
  const uint32_t item = AddItem(id);
  if (file.Number<uint8_t>() != 0) infos_[item].store(Text::New(meter_, file.String(kLongestInfo)), std::memory_order_release);
  const auto count = file.Number<uint32_t>();
  if (count > UINT16_MAX + 1u) file.Corrupt("an item has too many listeners");
  if (count == 0) return;
  std::vector<uint32_t> listeners(count);
  file.Bytes(listeners.data(), count * sizeof(uint32_t));
  // Of fewer than are allowed now only the newest are kept.
  const uint32_t kept = std::min(count, limits_.listeners_per_item);
  Ring* ring = Ring::New(meter_, std::max(kept, std::min(4u, limits_.listeners_per_item)));
  for (uint32_t i = 0; i < kept; i++) ring->slots[i].store(listeners[count - kept + i], std::memory_order_relaxed);
  ring->head.store(kept, std::memory_order_release);
  item_listeners_[item].store(ring, std::memory_order_release);
}

void ReadModel::ReadUser(FileReader& file) {
  const std::string id = file.String(kLongestId);
  const uint32_t user = users_.size();
  ReachUser(user);
  if (id.empty()) {
    users_.AddRemoved();
    return;
  }
  if (users_.Find(id) != kNoOrdinal) file.Corrupt("a user is there twice");
  users_.Add(id);
  ReadRow(file, user);
}

void ReadModel::ReadRow(FileReader& file, uint32_t user) {
  RowNumbers numbers;
  numbers.fingerprint = file.Number<uint64_t>();
  numbers.has_fingerprint = file.Number<uint32_t>();
  numbers.partition = file.Number<uint32_t>();
  numbers.events = file.Number<double>();
  numbers.updated_at = file.Number<double>();
  numbers.offset = file.Number<double>();
  const auto publication = file.Number<uint64_t>();
  const auto count = file.Number<uint32_t>();
  if (count > UINT16_MAX) file.Corrupt("a profile has too many items");
  UserRow* row = UserRow::New(meter_, count);
  rows_[user].store(row, std::memory_order_release);
  row->numbers = numbers;
  row->publication = publication;
  file.Bytes(row->items(), size_t{count} * (sizeof(uint32_t) + sizeof(float)));
  for (uint32_t i = 0; i < count; i++) {
    if (row->items()[i] >= items_.size() || !std::isfinite(row->weights()[i])) file.Corrupt("a profile names an item that is not there");
    if (!(row->weights()[i] > 0)) continue;
    row->positive_weight += row->weights()[i];
    item_users_[row->items()[i]].fetch_add(1, std::memory_order_relaxed);
  }
  if (numbers.has_fingerprint != 0) bands_.Set(user, numbers.fingerprint);
}

void ReadModel::ReadPublications(FileReader& file) {
  const auto count = file.Number<uint32_t>();
  if (count > publication_ || count > (1u << 24) || (publication_ > 0 && users_.size() == 0)) file.Corrupt("more publications than there were");
  std::vector<uint32_t> users(count);
  file.Bytes(users.data(), size_t{count} * sizeof(uint32_t));
  Ring* ring = publications_.load(std::memory_order_relaxed);
  // Places of the ring that the file does not fill name user 0, who is told by the number of the newest row.
  for (uint32_t back = 0; back < std::min(count, ring->capacity); back++) {
    const uint32_t user = users[count - 1 - back];
    if (user >= users_.size()) file.Corrupt("a publication of a user who is not there");
    ring->slots[(publication_ - 1 - back) % ring->capacity].store(user, std::memory_order_relaxed);
  }
  ring->head.store(publication_, std::memory_order_release);
  for (uint32_t item = 0; item < items_.size(); item++) {
    const Ring* listeners = item_listeners_[item].load(std::memory_order_relaxed);
    const uint64_t head = listeners == nullptr ? 0 : listeners->head.load(std::memory_order_relaxed);
    for (uint32_t back = 0; back < head; back++)
      if (listeners->Back(head, back) >= users_.size()) file.Corrupt("a listener who is not there");
  }
}

}  // namespace kindred::read_model
