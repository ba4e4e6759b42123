// What concerns the whole read model in JavaScript: opened, closed, counted, saved.
#include "read_model_binding.h"

#include "read_model_question.h"

namespace kindred::read_model {

namespace {

Limits ReadLimits(const Napi::Object& object) {
  Limits limits;
  limits.listeners_per_item = static_cast<uint32_t>(Integer(object.Get("listenersPerItem"), 1, 65536, "listenersPerItem"));
  limits.listeners_per_seed = static_cast<uint32_t>(Integer(object.Get("listenersPerSeed"), 1, 65536, "listenersPerSeed"));
  limits.recent_publications = static_cast<uint32_t>(Integer(object.Get("recentPublications"), 1, 1 << 24, "recentPublications"));
  limits.bucket_cap = static_cast<uint32_t>(Integer(object.Get("bucketCap"), 1, INT32_MAX, "bucketCap"));
  return limits;
}

std::string Directory(const Napi::Value& value) {
  if (!value.IsString()) RefuseArgument("a directory is text");
  std::string directory = value.As<Napi::String>().Utf8Value();
  if (directory.empty() || directory.find('\0') != std::string::npos) RefuseArgument("a directory is a path");
  return directory;
}

}  // namespace

Napi::Function ReadModelWrap::Define(Napi::Env env) {
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
                      InstanceMethod<&ReadModelWrap::RecentUsers>("recentUsers"), InstanceMethod<&ReadModelWrap::ListenersOf>("listenersOf"), InstanceMethod<&ReadModelWrap::GetStats>("stats"),
                      InstanceMethod<&ReadModelWrap::ItemCount>("itemCount"),
                      InstanceMethod<&ReadModelWrap::Save>("save"), InstanceMethod<&ReadModelWrap::Load>("load")});
}

ReadModelWrap::ReadModelWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ReadModelWrap>(info) {
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

void ReadModelWrap::Drop() {
  if (model_ == nullptr) return;
  model_.reset();
  registry().Sweep();
}

Napi::Value ReadModelWrap::ItemCount(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value { return Napi::Number::New(info.Env(), model().item_count()); });
}

Napi::Value ReadModelWrap::GetStats(const Napi::CallbackInfo& info) {
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

Napi::Value ReadModelWrap::Save(const Napi::CallbackInfo& info) {
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
Napi::Value ReadModelWrap::Load(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    return Question<bool>::Ask(
        info.Env(), shared(), [directory = Directory(info[0])](ReadModel& model) { return model.Load(directory); },
        [](Napi::Env env, bool& loaded) { return Napi::Boolean::New(env, loaded); });
  });
}

}  // namespace kindred::read_model

void InitReadModel(Napi::Env env, Napi::Object exports) { exports.Set("ReadModel", kindred::read_model::ReadModelWrap::Define(env)); }
