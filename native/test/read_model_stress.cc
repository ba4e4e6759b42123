// Threads that read everything while one writes, grows and erases, for ThreadSanitizer:
//   node native/build.mjs --stress-tsan read_model_stress && build/native/read_model_stress DIRECTORY [BATCHES]
// Prints one line; exit code 1 where a reader saw a row that was never published.
#include <atomic>
#include <cstdio>
#include <random>
#include <thread>

#include "read_model.h"

using namespace kindred::read_model;

namespace {

std::atomic<bool> stop{false};
std::atomic<int> faults{0};

void Write(ReadModel& model, int batches) {
  std::mt19937 random(1);
  for (int n = 0; n < batches; n++) {
    Batch batch;
    std::vector<uint32_t> items;
    std::vector<float> weights;
    if (n % 5 == 0) batch.erased.push_back("u" + std::to_string(random() % 500));
    for (int r = 0; r < 8; r++) {
      batch.users.push_back("u" + std::to_string(random() % 500));
      // Every field holds one number: two in a row are two rows.
      const uint32_t value = random() % 1000 + 1;
      batch.numbers.push_back({uint64_t{value % 8} << 40 | value % 3, 1, 0, double(value), double(value), double(value)});
      batch.counts.push_back(5);
      for (uint32_t i = 0; i < 5; i++) {
        items.push_back(kNewItem + static_cast<uint32_t>(batch.new_items.size()));
        batch.new_items.push_back("i" + std::to_string(i * 1000 + random() % (n < batches / 2 ? 20 : 900)));
        weights.push_back(static_cast<float>(value));
      }
    }
    batch.items = items.data();
    batch.weights = weights.data();
    batch.item_count = items.size();
    model.Apply(batch);
    model.SetApplied(0, n, n);
    if (n % 10 == 0) model.PutItemInfo({"i1"}, {std::to_string(n)});
  }
  stop = true;
}

void Read(ReadModel& model, unsigned seed) {
  std::mt19937 random(seed);
  const auto any = [&random](uint32_t below) { return static_cast<uint32_t>(random()) % below; };
  while (!stop) {
    const uint32_t users = model.users().size();
    const uint32_t items = model.items().size();
    if (users == 0 || items == 0) continue;
    {
      const kindred::EpochGuard guard(model.epochs());
      const uint32_t found = model.users().Find("u" + std::to_string(any(500)));
      const UserRow* row = found == kNoOrdinal ? nullptr : model.row(found);
      if (row != nullptr)
        for (uint32_t i = 0; i < row->count; i++)
          if (row->weights()[i] != row->numbers.events || row->numbers.offset != row->numbers.events) faults++;
      if (model.applied()->count > 0 && model.applied()->parts[0].offset > model.applied()->event_time + 1000) faults++;
      const Text* info = model.info(any(items));
      if (info != nullptr && info->view().empty()) faults++;
    }
    for (const NearFingerprint& near : model.NearFingerprints(any(users), 3, 20).found)
      if (near.distance > 3) faults++;
    model.NearFingerprints(any(users), 40, 20);
    const Ranked ranked = model.ItemsOfNeighbors({any(users), any(users)}, {1, 2}, {any(items)}, 10);
    for (const float score : ranked.scores)
      if (!(score > 0)) faults++;
    model.CoOccurring({any(items), any(items)}, {1, 1}, {}, 10);
    model.PopularItems(10);
    model.RecentUsers(10);
    model.stats();
  }
}

}  // namespace

int main(int argc, char** argv) {
  Limits limits;
  limits.listeners_per_item = 16;
  limits.recent_publications = 64;
  ReadModel model(limits);
  std::thread writer([&] { Write(model, argc > 2 ? std::atoi(argv[2]) : 3000); });
  std::vector<std::thread> readers;
  for (unsigned r = 0; r < 3; r++) readers.emplace_back([&, r] { Read(model, r + 2); });
  std::thread saver([&] {
    while (!stop) model.Save(argc > 1 ? argv[1] : ".");
  });
  writer.join();
  for (auto& reader : readers) reader.join();
  saver.join();
  ReadModel reopened(limits);
  if (!reopened.Load(argc > 1 ? argv[1] : ".")) faults++;
  std::printf("%d faults, %u users, %u items\n", faults.load(), model.stats().users, model.stats().items);
  return faults == 0 ? 0 : 1;
}
