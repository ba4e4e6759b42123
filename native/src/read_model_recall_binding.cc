// The questions of recall in JavaScript: at once where that is cheaper than the way to another thread.
#include "read_model_binding.h"

#include <cmath>

#include "read_model_question.h"

namespace kindred::read_model {

namespace {

constexpr double kMaxLimit = 1000000;
// Few microseconds of comparing; where all of them are near, their ids take longer.
constexpr uint64_t kQuickEntries = 1024;

uint32_t Limit(const Napi::Value& value) { return static_cast<uint32_t>(Integer(value, 0, kMaxLimit, "limit")); }

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

// Whether a search takes less than the way to another thread and back.
bool IsQuick(ReadModel& model, uint32_t user) {
  const EpochGuard guard(model.epochs());
  model.CheckUsers(&user, 1);
  uint64_t fingerprint = 0;
  return !model.bands().Get(user, &fingerprint) || model.bands().Entries(fingerprint) <= kQuickEntries;
}

}  // namespace

// A promise, or at once the answer.
Napi::Value ReadModelWrap::NearFingerprints(const Napi::CallbackInfo& info) {
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

Napi::Value ReadModelWrap::FingerprintDistances(const Napi::CallbackInfo& info) {
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

Napi::Value ReadModelWrap::ItemsOfNeighbors(const Napi::CallbackInfo& info) {
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

Napi::Value ReadModelWrap::CoOccurring(const Napi::CallbackInfo& info) {
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

Napi::Value ReadModelWrap::PopularItems(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] { return WrapRanked(info.Env(), model().PopularItems(Limit(info[0])), false); });
}
Napi::Value ReadModelWrap::RecentUsers(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value { return ToUint32Array(info.Env(), model().RecentUsers(Limit(info[0]))); });
}

Napi::Value ReadModelWrap::ListenersOf(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    return ToUint32Array(info.Env(), model().ListenersOf(Ordinal(info[0]), Limit(info[1])));
  });
}

}  // namespace kindred::read_model
