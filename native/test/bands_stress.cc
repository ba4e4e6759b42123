// Hot buckets, so large that places are kept: threads search while one sets and clears, then everything is held against a
// look at all fingerprints; then the same with a cap. `bands_stress [ROUNDS]`; exit code 1 where somebody was missed.
#include <algorithm>
#include <array>
#include <cstdio>
#include <random>
#include <set>
#include <thread>

#include "bands.h"

using namespace kindred::read_model;
using kindred::EpochDomain;
using kindred::EpochGuard;

namespace {

constexpr uint32_t kUsers = 9000;
// The first ones never move: whoever is near them must be found at any time.
constexpr uint32_t kStill = 200;
constexpr uint32_t kCap = 300;

// Few values of each block, so that buckets hold thousands; a bit flipped here and there.
uint64_t AnyFingerprint(std::mt19937& random) {
  uint64_t fingerprint = 0;
  for (int band = 0; band < 4; band++) fingerprint |= uint64_t{random() % 2} << (16 * band + 3);
  for (uint32_t flips = random() % 3; flips > 0; flips--) fingerprint ^= uint64_t{1} << (random() % 64);
  return fingerprint;
}

int Distance(uint64_t a, uint64_t b) { return __builtin_popcountll(a ^ b); }
uint32_t Block(int band, uint64_t fingerprint) { return static_cast<uint32_t>(fingerprint >> (16 * band)) & 0xffff; }

// The bands, and beside them what they ought to hold: fingerprints, and when a user came into a bucket.
struct Tested {
  EpochDomain epochs;
  MemoryMeter meter;
  Bands bands;
  std::vector<uint64_t> fingerprints = std::vector<uint64_t>(kUsers);
  std::vector<bool> known = std::vector<bool>(kUsers);
  std::vector<std::array<uint32_t, 4>> came = std::vector<std::array<uint32_t, 4>>(kUsers);
  uint32_t clock = 0;

  explicit Tested(uint32_t cap) : bands(epochs, meter, cap) {
    for (uint32_t user = 0; user < kUsers; user++) bands.Reach(user);
  }

  void Set(uint32_t user, uint64_t fingerprint) {
    clock++;
    for (int band = 0; band < 4; band++)
      if (!known[user] || Block(band, fingerprints[user]) != Block(band, fingerprint)) came[user][static_cast<size_t>(band)] = clock;
    fingerprints[user] = fingerprint;
    known[user] = true;
    bands.Set(user, fingerprint);
  }
  void Clear(uint32_t user) {
    known[user] = false;
    bands.Clear(user);
  }
  // `from` is 0, or kStill to leave alone those who never move.
  void Move(std::mt19937& random, uint32_t from) {
    const uint32_t user = from + static_cast<uint32_t>(random() % (kUsers - from));
    if (random() % 8 == 0)
      Clear(user);
    else
      Set(user, AnyFingerprint(random));
  }

  // Those among the newest `cap` users of a bucket of the user who are near; `over` where a bucket holds more.
  std::set<uint32_t> Expected(uint32_t user, int distance, uint32_t cap, bool* over) const {
    std::set<uint32_t> expected;
    for (int band = 0; band < 4; band++) {
      std::vector<uint32_t> in;
      for (uint32_t other = 0; other < kUsers; other++)
        if (known[other] && Block(band, fingerprints[other]) == Block(band, fingerprints[user])) in.push_back(other);
      std::sort(in.begin(), in.end(), [&](uint32_t a, uint32_t b) { return came[a][static_cast<size_t>(band)] > came[b][static_cast<size_t>(band)]; });
      if (in.size() > cap) {
        *over = true;
        in.resize(cap);
      }
      for (const uint32_t other : in)
        if (other != user && Distance(fingerprints[other], fingerprints[user]) <= distance) expected.insert(other);
    }
    return expected;
  }

  uint32_t Wrong(std::mt19937& random, uint32_t cap, int queries) const {
    uint32_t wrong = 0;
    for (int q = 0; q < queries; q++) {
      const auto user = static_cast<uint32_t>(random() % kUsers);
      if (!known[user]) continue;
      const int distance = q % 4;
      const Bands::Search search = bands.Near(fingerprints[user], user, distance, kUsers);
      std::set<uint32_t> found;
      for (const NearFingerprint& near : search.found) {
        if (!known[near.ordinal] || Distance(fingerprints[near.ordinal], fingerprints[user]) != near.distance || near.distance > distance) wrong++;
        if (!found.insert(near.ordinal).second) wrong++;
      }
      bool over = false;
      for (const uint32_t other : Expected(user, distance, cap, &over)) wrong += found.count(other) == 0 ? 1 : 0;
      if (search.truncated != over) wrong++;
    }
    return wrong;
  }
};

std::atomic<bool> stop{false};
std::atomic<uint32_t> missed{0};
std::atomic<uint32_t> searched{0};

void SearchStill(Tested& tested, const std::vector<uint64_t>& still, unsigned seed) {
  std::mt19937 random(seed);
  while (!stop) {
    const auto user = static_cast<uint32_t>(random() % kStill);
    const EpochGuard guard(tested.epochs);
    const Bands::Search search = tested.bands.Near(still[user], user, 3, kUsers);
    std::set<uint32_t> found;
    for (const NearFingerprint& near : search.found)
      if (!found.insert(near.ordinal).second) missed++;
    for (uint32_t other = 0; other < kStill; other++)
      if (other != user && Distance(still[other], still[user]) <= 3 && found.count(other) == 0) missed++;
    searched++;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 60000;
  std::mt19937 random(5);
  Tested all(UINT32_MAX);
  for (uint32_t user = 0; user < kUsers; user++) all.Set(user, AnyFingerprint(random));
  const std::vector<uint64_t> still(all.fingerprints.begin(), all.fingerprints.begin() + kStill);
  std::vector<std::thread> readers;
  for (unsigned r = 0; r < 2; r++) readers.emplace_back([&, r] { SearchStill(all, still, r + 7); });
  for (int n = 0; n < rounds || searched < 20; n++) all.Move(random, kStill);
  stop = true;
  for (auto& reader : readers) reader.join();
  const uint32_t largest = all.bands.stats().largest_bucket;
  const uint32_t wrong = all.Wrong(random, UINT32_MAX, 100);

  Tested capped(kCap);
  uint32_t wrong_at_cap = 0;
  for (int n = 0; n < rounds; n++) {
    capped.Move(random, 0);
    if (n % (rounds / 10) == 0) wrong_at_cap += capped.Wrong(random, kCap, 10);
  }
  for (uint32_t user = 0; user < kUsers; user++) all.Clear(user);
  all.epochs.Collect();
  std::printf("%u missed, %u wrong, %u wrong at the cap, %u left, largest bucket %u\n", missed.load(), wrong, wrong_at_cap,
              all.bands.stats().fingerprints + all.bands.stats().stale_entries, largest);
  return missed + wrong + wrong_at_cap == 0 && largest > 2048 ? 0 : 1;
}
