// The read model in JavaScript: class ReadModel. Cheap questions are answered at once; the others on libuv's threads.
#include <napi.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "read_model.h"
#include "read_model_arguments.h"
#include "read_model_question.h"

namespace kindred::read_model {

namespace {

constexpr double kMaxSafe = 9007199254740991.0;
constexpr double kMaxLimit = 1000000;
// About 10 microseconds of looking at candidates.
constexpr uint64_t kQuickEntries = 1024;

uint32_t Limit(const Napi::Value& value) { return static_cast<uint32_t>(Integer(value, 0, kMaxLimit, "limit")); }
uint32_t Ordinal(const Napi::Value& value) { return static_cast<uint32_t>(Integer(value, 0, UINT32_MAX, "an ordinal")); }
Napi::Value ToString(Napi::Env env, std::string_view text) {
  // Most ids are ASCII, which V8 takes as it is; UTF-8 it has to decode.
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) >= 0; });
  napi_value made = nullptr;
  const napi_status status =
      ascii ? napi_create_string_latin1(env, text.data(), text.size(), &made) : napi_create_string_utf8(env, text.data(), text.size(), &made);
  if (status != napi_ok) throw Napi::Error::New(env);
  return {env, made};
}

std::vector<float> Scores(const Napi::Value& value, size_t count) {
  std::vector<float> scores = Float32s(value, "scores");
  if (scores.size() != count) RefuseArgument("scores must be as many as their ordinals");
  for (const float score : scores)
    if (!std::isfinite(score)) RefuseArgument("scores must be finite");
  return scores;
}

Napi::Value WrapRanked(Napi::Env env, const Ranked& ranked, bool with_via) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("ordinals", ToUint32Array(env, ranked.ordinals));
  result.Set("scores", ToFloat32Array(env, ranked.scores));
  if (with_via) result.Set("via", ToUint32Array(env, ranked.via));
  return result;
}

Napi::Value WrapNear(Napi::Env env, const Bands::Search& search) {
  Napi::Uint32Array ordinals = Napi::Uint32Array::New(env, search.found.size());
  Napi::Uint8Array distances = Napi::Uint8Array::New(env, search.found.size());
  for (size_t i = 0; i < search.found.size(); i++) {
    ordinals[i] = search.found[i].ordinal;
    distances[i] = search.found[i].distance;
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("ordinals", ordinals);
  result.Set("distances", distances);
  result.Set("candidates", Napi::Number::New(env, static_cast<double>(search.candidates)));
  result.Set("truncated", Napi::Boolean::New(env, search.truncated));
  return result;
}

Limits ReadLimits(const Napi::Object& object) {
  Limits limits;
  limits.listeners_per_item = static_cast<uint32_t>(Integer(object.Get("listenersPerItem"), 1, 65536, "listenersPerItem"));
  limits.listeners_per_seed = static_cast<uint32_t>(Integer(object.Get("listenersPerSeed"), 1, 65536, "listenersPerSeed"));
  limits.recent_publications = static_cast<uint32_t>(Integer(object.Get("recentPublications"), 1, 1 << 24, "recentPublications"));
  limits.bucket_cap = static_cast<uint32_t>(Integer(object.Get("bucketCap"), 1, INT32_MAX, "bucketCap"));
  return limits;
}

// Numbers of a row: fingerprint halves and flag, then events, updatedAt and offset.
std::vector<RowNumbers> ReadNumbers(const Napi::Object& packed, uint32_t partition) {
  const std::vector<uint32_t> bits = Uint32s(packed.Get("fingerprints"), "fingerprints");
  const std::vector<double> numbers = Float64s(packed.Get("numbers"), "numbers");
  const size_t rows = bits.size() / 3;
  if (bits.size() != rows * 3 || numbers.size() != rows * 3) RefuseArgument("fingerprints and numbers must be three a row");
  std::vector<RowNumbers> out(rows);
  for (size_t r = 0; r < rows; r++) {
    const double events = numbers[r * 3];
    const double updated_at = numbers[r * 3 + 1];
    const double offset = numbers[r * 3 + 2];
    const auto counts = [](double n) { return n >= 0 && n <= kMaxSafe && n == std::floor(n); };
    if (!counts(events)) RefuseArgument("events must be an integer from 0");
    if (!counts(offset)) RefuseArgument("offset must be an integer from 0");
    if (!std::isfinite(updated_at)) RefuseArgument("updatedAt must be finite");
    out[r] = {uint64_t{bits[r * 3]} << 32 | bits[r * 3 + 1], bits[r * 3 + 2] != 0, partition, events, updated_at, offset};
  }
  return out;
}

}  // namespace

class ReadModelWrap : public Napi::ObjectWrap<ReadModelWrap> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "ReadModel",
                       {InstanceMethod<&ReadModelWrap::Handle>("handle"), InstanceMethod<&ReadModelWrap::Close>("close"),
                        InstanceMethod<&ReadModelWrap::Apply>("apply"), InstanceMethod<&ReadModelWrap::SetApplied>("setApplied"),
                        InstanceMethod<&ReadModelWrap::PutItemInfo>("putItemInfo"), InstanceMethod<&ReadModelWrap::User>("user"),
                        InstanceMethod<&ReadModelWrap::UserOrdinal>("userOrdinal"), InstanceMethod<&ReadModelWrap::Profile>("profile"),
                        InstanceMethod<&ReadModelWrap::UserIds>("userIds"), InstanceMethod<&ReadModelWrap::Item>("item"),
                        InstanceMethod<&ReadModelWrap::ItemOrdinal>("itemOrdinal"), InstanceMethod<&ReadModelWrap::ItemIds>("itemIds"),
                        InstanceMethod<&ReadModelWrap::ItemInfoJson>("itemInfoJson"), InstanceMethod<&ReadModelWrap::GetApplied>("applied"),
                        InstanceMethod<&ReadModelWrap::NearFingerprints>("nearFingerprints"),
                        InstanceMethod<&ReadModelWrap::FingerprintDistances>("fingerprintDistances"),
                        InstanceMethod<&ReadModelWrap::ItemsOfNeighbors>("itemsOfNeighbors"),
                        InstanceMethod<&ReadModelWrap::CoOccurring>("coOccurring"), InstanceMethod<&ReadModelWrap::PopularItems>("popularItems"),
                        InstanceMethod<&ReadModelWrap::RecentUsers>("recentUsers"), InstanceMethod<&ReadModelWrap::GetStats>("stats"),
                        InstanceMethod<&ReadModelWrap::ItemCount>("itemCount"),
                        InstanceMethod<&ReadModelWrap::Save>("save"), InstanceMethod<&ReadModelWrap::Load>("load")});
  }

  // A handle attaches to an open model; limits make an empty one.
  explicit ReadModelWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ReadModelWrap>(info) {
    Guarded(info.Env(), [&] {
      if (info[0].IsNumber()) {
        handle_ = static_cast<uint32_t>(Integer(info[0], 1, UINT32_MAX, "a handle"));
        model_ = registry().Find(handle_);
      } else {
        if (!info[0].IsObject()) RefuseArgument("a handle or limits are needed");
        model_ = std::make_shared<ReadModel>(ReadLimits(info[0].As<Napi::Object>()));
        handle_ = registry().Add(model_);
      }
    });
  }
  ~ReadModelWrap() override { Drop(); }

 private:
  void Drop() {
    if (model_ == nullptr) return;
    model_.reset();
    registry().Sweep();
  }

  ReadModel& model() const {
    if (model_ == nullptr) RefuseArgument("the read model is closed");
    return *model_;
  }
  std::shared_ptr<ReadModel> shared() const {
    model();
    return model_;
  }

  Napi::Value Handle(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), handle_); }
  void Close(const Napi::CallbackInfo&) { Drop(); }

  Napi::Value Apply(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&]() -> Napi::Value {
      ReadModel& model = this->model();
      if (!info[0].IsObject()) RefuseArgument("a batch is an object");
      const auto packed = info[0].As<Napi::Object>();
      Batch batch;
      const auto partition = static_cast<uint32_t>(Integer(packed.Get("partition"), 0, UINT16_MAX, "partition"));
      batch.erased = Texts(packed.Get("erased"), packed.Get("erasedLengths"), 1, kMaxIdUnits, "erased users");
      batch.users = Texts(packed.Get("users"), packed.Get("userLengths"), 1, kMaxIdUnits, "users");
      batch.new_items = Texts(packed.Get("newItems"), packed.Get("newItemLengths"), 1, kMaxIdUnits, "items");
      batch.numbers = ReadNumbers(packed, partition);
      batch.counts = Uint32s(packed.Get("counts"), "counts");
      const std::vector<uint32_t> items = Uint32s(packed.Get("items"), "items");
      const std::vector<float> weights = Float32s(packed.Get("weights"), "weights");
      if (items.size() != weights.size()) RefuseArgument("items and weights must be of one length");
      batch.items = items.data();
      batch.weights = weights.data();
      batch.item_count = items.size();
      return ToUint32Array(info.Env(), model.Apply(batch));
    });
  }

  void SetApplied(const Napi::CallbackInfo& info) {
    Guarded(info.Env(), [&] {
      const auto partition = static_cast<uint32_t>(Integer(info[0], 0, UINT16_MAX, "partition"));
      model().SetApplied(partition, Integer(info[1], 0, kMaxSafe, "offset"), Finite(info[2], "eventTime"));
    });
  }

  void PutItemInfo(const Napi::CallbackInfo& info) {
    Guarded(info.Env(), [&] { model().PutItemInfo(Texts(info[0], info[1], 1, kMaxIdUnits, "items"), Texts(info[2], info[3], 0, 1 << 20, "side information")); });
  }

  Napi::Value User(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&]() -> Napi::Value {
      const Napi::Env env = info.Env();
      ReadModel& model = this->model();
      const EpochGuard guard(model.epochs());
      std::string id;
      const uint32_t ordinal = ReadId(info[0], &id) ? model.users().Find(id) : kNoOrdinal;
      const UserRow* row = ordinal == kNoOrdinal ? nullptr : model.row(ordinal);
      if (row == nullptr) return env.Undefined();
      Napi::Array items = Napi::Array::New(env, row->count);
      for (uint32_t i = 0; i < row->count; i++) items[i] = ToString(env, model.items().Id(row->items()[i]));
      Napi::Object result = Napi::Object::New(env);
      result.Set("ordinal", Napi::Number::New(env, ordinal));
      result.Set("fingerprint", Fingerprint(env, row->numbers));
      result.Set("events", Napi::Number::New(env, row->numbers.events));
      result.Set("updatedAt", Napi::Number::New(env, row->numbers.updated_at));
      result.Set("partition", Napi::Number::New(env, row->numbers.partition));
      result.Set("offset", Napi::Number::New(env, row->numbers.offset));
      result.Set("items", items);
      result.Set("weights", ToFloat32Array(env, std::vector<float>(row->weights(), row->weights() + row->count)));
      return result;
    });
  }

  static Napi::Value Fingerprint(Napi::Env env, const RowNumbers& numbers) {
    if (numbers.has_fingerprint == 0) return env.Null();
    char digits[17];
    std::snprintf(digits, sizeof(digits), "%016llx", static_cast<unsigned long long>(numbers.fingerprint));
    return Napi::String::New(env, digits, 16);
  }

  Napi::Value FindId(const Napi::CallbackInfo& info, const IdTable& table) {
    const EpochGuard guard(model().epochs());
    std::string id;
    const uint32_t ordinal = ReadId(info[0], &id) ? table.Find(id) : kNoOrdinal;
    return ordinal == kNoOrdinal ? info.Env().Undefined() : Napi::Number::New(info.Env(), ordinal).As<Napi::Value>();
  }
  Napi::Value UserOrdinal(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&] { return FindId(info, model().users()); });
  }
  Napi::Value ItemOrdinal(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&] { return FindId(info, model().items()); });
  }

  Napi::Value Profile(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&]() -> Napi::Value {
      ReadModel& model = this->model();
      const uint32_t user = Ordinal(info[0]);
      const EpochGuard guard(model.epochs());
      model.CheckUsers(&user, 1);
      const UserRow* row = model.row(user);
      if (row == nullptr) return info.Env().Undefined();
      Napi::Object result = Napi::Object::New(info.Env());
      result.Set("items", ToUint32Array(info.Env(), std::vector<uint32_t>(row->items(), row->items() + row->count)));
      result.Set("weights", ToFloat32Array(info.Env(), std::vector<float>(row->weights(), row->weights() + row->count)));
      return result;
    });
  }

  Napi::Value Ids(const Napi::CallbackInfo& info, const IdTable& table, const std::vector<uint32_t>& ordinals) {
    Napi::Array ids = Napi::Array::New(info.Env(), ordinals.size());
    for (uint32_t i = 0; i < ordinals.size(); i++) ids[i] = ToString(info.Env(), table.Id(ordinals[i]));
    return ids;
  }
  Napi::Value UserIds(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&] {
      const std::vector<uint32_t> ordinals = Uint32s(info[0], "ordinals");
      const EpochGuard guard(model().epochs());
      model().CheckUsers(ordinals.data(), ordinals.size());
      return Ids(info, model().users(), ordinals);
    });
  }
  Napi::Value ItemIds(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&] {
      const std::vector<uint32_t> ordinals = Uint32s(info[0], "ordinals");
      const EpochGuard guard(model().epochs());
      model().CheckItems(ordinals.data(), ordinals.size());
      return Ids(info, model().items(), ordinals);
    });
  }

  static Napi::Value Info(Napi::Env env, const Text* info) { return info == nullptr ? env.Null() : ToString(env, info->view()); }

  Napi::Value Item(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&]() -> Napi::Value {
      ReadModel& model = this->model();
      const EpochGuard guard(model.epochs());
      std::string id;
      const uint32_t ordinal = ReadId(info[0], &id) ? model.items().Find(id) : kNoOrdinal;
      if (ordinal == kNoOrdinal) return info.Env().Undefined();
      Napi::Object result = Napi::Object::New(info.Env());
      result.Set("ordinal", Napi::Number::New(info.Env(), ordinal));
      result.Set("item", info[0]);
      result.Set("users", Napi::Number::New(info.Env(), model.listeners(ordinal)));
      result.Set("infoJson", Info(info.Env(), model.info(ordinal)));
      return result;
    });
  }

  Napi::Value ItemInfoJson(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&] {
      const std::vector<uint32_t> ordinals = Uint32s(info[0], "ordinals");
      const EpochGuard guard(model().epochs());
      model().CheckItems(ordinals.data(), ordinals.size());
      Napi::Array all = Napi::Array::New(info.Env(), ordinals.size());
      for (uint32_t i = 0; i < ordinals.size(); i++) all[i] = Info(info.Env(), model().info(ordinals[i]));
      return all.As<Napi::Value>();
    });
  }

  // Event time, then partition and offset of each.
  Napi::Value GetApplied(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&] {
      const EpochGuard guard(model().epochs());
      const Applied* applied = model().applied();
      Napi::Float64Array result = Napi::Float64Array::New(info.Env(), 1 + size_t{applied->count} * 2);
      result[0] = applied->event_time;
      for (uint32_t i = 0; i < applied->count; i++) {
        result[1 + i * 2] = applied->parts[i].partition;
        result[2 + i * 2] = applied->parts[i].offset;
      }
      return result.As<Napi::Value>();
    });
  }

  // Whether a search takes less than the way to another thread and back.
  static bool IsQuick(ReadModel& model, uint32_t user) {
    const EpochGuard guard(model.epochs());
    model.CheckUsers(&user, 1);
    uint64_t fingerprint = 0;
    return !model.bands().Get(user, &fingerprint) || model.bands().Entries(fingerprint) <= kQuickEntries;
  }

  // A promise, or at once the answer.
  Napi::Value NearFingerprints(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&] {
      const uint32_t user = Ordinal(info[0]);
      const auto distance = static_cast<int>(Integer(info[1], 0, 64, "maxDistance"));
      const uint32_t limit = Limit(info[2]);
      ReadModel& model = this->model();
      if (distance <= Bands::kBandDistance && IsQuick(model, user)) return WrapNear(info.Env(), model.NearFingerprints(user, distance, limit));
      return Question<Bands::Search>::Ask(
          info.Env(), shared(), [=](ReadModel& model) { return model.NearFingerprints(user, distance, limit); },
          [](Napi::Env env, Bands::Search& search) { return WrapNear(env, search); });
    });
  }

  Napi::Value FingerprintDistances(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&]() -> Napi::Value {
      ReadModel& model = this->model();
      const uint32_t user = Ordinal(info[0]);
      const std::vector<uint32_t> others = Uint32s(info[1], "ordinals");
      const EpochGuard guard(model.epochs());
      model.CheckUsers(&user, 1);
      model.CheckUsers(others.data(), others.size());
      Napi::Uint8Array distances = Napi::Uint8Array::New(info.Env(), others.size());
      uint64_t own = 0;
      uint64_t other = 0;
      const bool known = model.bands().Get(user, &own);
      for (size_t i = 0; i < others.size(); i++)
        distances[i] = known && model.bands().Get(others[i], &other) ? static_cast<uint8_t>(__builtin_popcountll(own ^ other)) : 255;
      return distances;
    });
  }

  Napi::Value ItemsOfNeighbors(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&] {
      auto neighbors = Uint32s(info[0], "neighbors");
      auto scores = Scores(info[1], neighbors.size());
      auto exclude = Uint32s(info[2], "exclude");
      const uint32_t limit = Limit(info[3]);
      return Question<Ranked>::Ask(
          info.Env(), shared(),
          [neighbors = std::move(neighbors), scores = std::move(scores), exclude = std::move(exclude), limit](ReadModel& model) {
            return model.ItemsOfNeighbors(neighbors, scores, exclude, limit);
          },
          [](Napi::Env env, Ranked& ranked) { return WrapRanked(env, ranked, true); });
    });
  }

  Napi::Value CoOccurring(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&] {
      auto seeds = Uint32s(info[0], "seeds");
      auto weights = Scores(info[1], seeds.size());
      auto exclude = Uint32s(info[2], "exclude");
      const uint32_t limit = Limit(info[3]);
      return Question<Ranked>::Ask(
          info.Env(), shared(),
          [seeds = std::move(seeds), weights = std::move(weights), exclude = std::move(exclude), limit](ReadModel& model) {
            return model.CoOccurring(seeds, weights, exclude, limit);
          },
          [](Napi::Env env, Ranked& ranked) { return WrapRanked(env, ranked, false); });
    });
  }

  Napi::Value PopularItems(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&] { return WrapRanked(info.Env(), model().PopularItems(Limit(info[0])), false); });
  }
  Napi::Value RecentUsers(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&]() -> Napi::Value { return ToUint32Array(info.Env(), model().RecentUsers(Limit(info[0]))); });
  }

  Napi::Value ItemCount(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&]() -> Napi::Value { return Napi::Number::New(info.Env(), model().item_count()); });
  }

  Napi::Value GetStats(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&]() -> Napi::Value {
      const Stats stats = model().stats();
      Napi::Object result = Napi::Object::New(info.Env());
      result.Set("users", stats.users);
      result.Set("items", stats.items);
      result.Set("fingerprints", stats.bands.fingerprints);
      result.Set("memoryBytes", stats.memory_bytes);
      result.Set("staleBandEntries", stats.bands.stale_entries);
      result.Set("largestBucket", stats.bands.largest_bucket);
      result.Set("bucketsOverCap", stats.bands.buckets_over_cap);
      return result;
    });
  }

  static std::string Directory(const Napi::Value& value) {
    if (!value.IsString()) RefuseArgument("a directory is text");
    std::string directory = value.As<Napi::String>().Utf8Value();
    if (directory.empty() || directory.find('\0') != std::string::npos) RefuseArgument("a directory is a path");
    return directory;
  }

  Napi::Value Save(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&] {
      return Question<bool>::Ask(
          info.Env(), shared(),
          [directory = Directory(info[0])](ReadModel& model) {
            model.Save(directory);
            return true;
          },
          [](Napi::Env env, bool&) { return env.Undefined(); });
    });
  }
  // False where nothing was saved. A model that failed to load holds a part: it must be closed.
  Napi::Value Load(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&] {
      return Question<bool>::Ask(
          info.Env(), shared(), [directory = Directory(info[0])](ReadModel& model) { return model.Load(directory); },
          [](Napi::Env env, bool& loaded) { return Napi::Boolean::New(env, loaded); });
    });
  }

  std::shared_ptr<ReadModel> model_;
  uint32_t handle_ = 0;
};

}  // namespace kindred::read_model

void InitReadModel(Napi::Env env, Napi::Object exports) { exports.Set("ReadModel", kindred::read_model::ReadModelWrap::Define(env)); }
