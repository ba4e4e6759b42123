// What recall reads, in memory of the process: one writer, readers on any thread that never wait.
// index/read-model/memory-read-model.ts says exactly what each question answers.
#pragma once
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "bands.h"
#include "id_table.h"

namespace kindred::read_model {

struct Limits {
  uint32_t listeners_per_item = 1024;
  uint32_t listeners_per_seed = 256;
  uint32_t recent_publications = 65536;
  uint32_t bucket_cap = 65536;
};

// Numbers of a user's row; exact integers up to 2^53 where JavaScript sends them as doubles.
struct RowNumbers {
  uint64_t fingerprint = 0;
  uint32_t has_fingerprint = 0;
  uint32_t partition = 0;
  double events = 0;
  double updated_at = 0;
  double offset = 0;
};

// A published row: immutable, replaced as a whole.
struct UserRow : Block {
  RowNumbers numbers;
  // Place among all publications, from 1: the newest one of a user is its row's.
  uint64_t publication;
  double positive_weight;
  uint32_t count;
  uint32_t items_begin[1];  // count item ordinals, then count weights

  const uint32_t* items() const { return items_begin; }
  uint32_t* items() { return items_begin; }
  const float* weights() const { return reinterpret_cast<const float*>(items_begin + count); }
  float* weights() { return reinterpret_cast<float*>(items_begin + count); }
  static UserRow* New(MemoryMeter& meter, uint32_t count);
};

// The newest entries of a log of ordinals; overwritten from the oldest on once it reached its limit.
struct Ring : Block {
  uint32_t capacity;
  std::atomic<uint64_t> head;  // entries ever written
  std::atomic<uint32_t> slots[1];

  static Ring* New(MemoryMeter& meter, uint32_t capacity);
  uint32_t held(uint64_t at) const { return static_cast<uint32_t>(at < capacity ? at : capacity); }
  // The entry `back` places before the newest, at the time of `at`.
  uint32_t Back(uint64_t at, uint32_t back) const { return slots[(at - 1 - back) % capacity].load(std::memory_order_relaxed); }
};

// How far the log is applied: immutable, replaced as a whole.
struct Applied : Block {
  double event_time;
  uint32_t count;
  struct Part {
    uint32_t partition;
    double offset;
  } parts[1];
  static Applied* New(MemoryMeter& meter, uint32_t count);
};

// One micro-batch, unpacked. Items: those known by ordinal, and new ones counted from kNewItem in `new_items`.
constexpr uint32_t kNewItem = 1u << 31;
struct Batch {
  std::vector<std::string> erased;
  std::vector<std::string> users;
  std::vector<std::string> new_items;
  std::vector<RowNumbers> numbers;     // one a user
  std::vector<uint32_t> counts;        // items of each user's profile
  const uint32_t* items = nullptr;     // of all profiles, one after the other
  const float* weights = nullptr;      // as many
  size_t item_count = 0;
};

struct Ranked {
  std::vector<uint32_t> ordinals;
  std::vector<float> scores;
  std::vector<uint32_t> via;
};

struct Stats {
  uint32_t users;
  uint32_t items;
  double memory_bytes;
  Bands::Stats bands;
};

class FileWriter;
class FileReader;

class ReadModel {
 public:
  explicit ReadModel(const Limits& limits);
  ~ReadModel();
  ReadModel(const ReadModel&) = delete;

  // The writer's side; a lock keeps a second writer out. All throw CodedError, and have then changed nothing.
  // Ordinals of batch.users, then those of batch.new_items.
  std::vector<uint32_t> Apply(const Batch& batch);
  void SetApplied(uint32_t partition, double offset, double event_time);
  void PutItemInfo(const std::vector<std::string>& items, const std::vector<std::string>& json);

  // The readers' side: inside an EpochGuard over epochs().
  EpochDomain& epochs() { return epochs_; }
  const IdTable& users() const { return users_; }
  const IdTable& items() const { return items_; }
  const Bands& bands() const { return bands_; }
  // Null for an erased user; the ordinal must be below users().size().
  const UserRow* row(uint32_t user) const { return rows_[user].load(std::memory_order_acquire); }
  uint32_t listeners(uint32_t item) const { return item_users_[item].load(std::memory_order_relaxed); }
  const Text* info(uint32_t item) const { return infos_[item].load(std::memory_order_acquire); }
  const Applied* applied() const { return applied_.load(std::memory_order_acquire); }
  void CheckUsers(const uint32_t* ordinals, size_t count) const;
  void CheckItems(const uint32_t* ordinals, size_t count) const;

  // Guarded by themselves.
  Bands::Search NearFingerprints(uint32_t user, int distance, uint32_t limit);
  Ranked ItemsOfNeighbors(const std::vector<uint32_t>& neighbors, const std::vector<float>& scores, const std::vector<uint32_t>& exclude, uint32_t limit);
  Ranked CoOccurring(const std::vector<uint32_t>& seeds, const std::vector<float>& weights, const std::vector<uint32_t>& exclude, uint32_t limit);
  Ranked PopularItems(uint32_t limit);
  std::vector<uint32_t> RecentUsers(uint32_t limit);
  // Who holds the item with a weight above 0 now, newest first, of those that its log has.
  std::vector<uint32_t> ListenersOf(uint32_t item, uint32_t limit);
  // Items numbered so far; unlike stats(), which looks at every bucket, it costs nothing.
  uint32_t item_count() const { return items_.live(); }
  Stats stats();

  // Complete or absent: written aside, synced, renamed. @throws CodedError STORAGE_FAILED
  void Save(const std::string& directory);
  // Into an empty model; false where nothing was saved. @throws CodedError SHARD_CORRUPT, DIRECTORY_NEWER, STORAGE_FAILED
  bool Load(const std::string& directory);

 private:
  struct Snapshot;
  Snapshot TakeSnapshot();
  void WriteItem(FileWriter& file, uint32_t item, uint32_t users) const;
  void ReadItem(FileReader& file);
  void ReadUser(FileReader& file);
  void ReadRow(FileReader& file, uint32_t user);
  void ReadPublications(FileReader& file);
  void CheckBatch(const Batch& batch);
  uint32_t AddUser(const std::string& id);
  uint32_t AddItem(const std::string& id);
  void ReachUser(uint32_t ordinal);
  void ReachItem(uint32_t ordinal);
  void Publish(uint32_t user, UserRow* fresh);
  void Erase(uint32_t user);
  void Join(uint32_t item, uint32_t user);
  void CollectListeners(uint32_t seed, uint32_t most, std::vector<const UserRow*>& out, std::vector<uint32_t>* users) const;
  Ranked Rank(std::vector<std::pair<uint32_t, float>>& scored, uint32_t limit) const;

  const Limits limits_;
  EpochDomain epochs_;
  MemoryMeter meter_;
  std::mutex writer_;
  IdTable users_;
  IdTable items_;
  Bands bands_;
  Chunks<std::atomic<UserRow*>> rows_;
  Chunks<std::atomic<uint32_t>> item_users_;
  Chunks<std::atomic<Ring*>> item_listeners_;
  Chunks<std::atomic<Text*>> infos_;
  std::atomic<Ring*> publications_;
  std::atomic<Applied*> applied_;
  uint64_t publication_ = 0;
  // The writer's: which items the row at hand holds, told by a number that grows with each use.
  std::vector<uint32_t> marks_;
  uint32_t mark_ = 0;
};

}  // namespace kindred::read_model
