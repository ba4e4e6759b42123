// The vector index at the border to JavaScript: making one, attaching to one from another thread, and checksums.
#include <napi.h>

#include <mutex>
#include <unordered_map>

#include "crc32c.h"
#include "vector_index_objects.h"

namespace kindred::binding {

namespace {

// Indexes of the process by handle. Held weakly: an index lives as long as somebody has it open. Never destroyed, since
// threads may outlive static objects.
class Registry {
 public:
  static Registry& Get() {
    static Registry* registry = new Registry();
    return *registry;
  }
  uint32_t Add(const Index& index) {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto it = indexes_.begin(); it != indexes_.end();) it = it->second.expired() ? indexes_.erase(it) : std::next(it);
    indexes_[++last_] = index;
    return last_;
  }
  Index Find(uint32_t handle) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto it = indexes_.find(handle);
    return it == indexes_.end() ? nullptr : it->second.lock();
  }

 private:
  std::mutex mutex_;
  uint32_t last_ = 0;
  std::unordered_map<uint32_t, std::weak_ptr<VectorIndex>> indexes_;
};

Napi::Value Opened(Napi::Env env, const EnvState& state, const Index& index, uint32_t handle) {
  Napi::Object object = Wrap(env, state.index_class, index);
  IndexObject::Unwrap(object)->set_handle(handle);
  return object;
}

// ({ dims, metric, storage, shards, driftCosine, ef, scanRowsPerEf, longestShare?, generation })
Napi::Value Create(const Napi::CallbackInfo& info) {
  return Answer(info.Env(), [&]() -> Napi::Value {
    if (!info[0].IsObject()) RefuseArgument("options are an object");
    const Napi::Object given = info[0].As<Napi::Object>();
    IndexOptions options;
    options.dims = IntegerOf(given.Get("dims"), "dims", 1, kMaxDims);
    const auto is = [&](const char* name, const char* value) { return given.Get(name).IsString() && given.Get(name).As<Napi::String>().Utf8Value() == value; };
    if (!is("metric", "cosine") && !is("metric", "inner-product")) RefuseArgument("metric is cosine or inner-product");
    options.metric = is("metric", "cosine") ? Metric::kCosine : Metric::kInnerProduct;
    if (!is("storage", "float32") && !is("storage", "float16")) RefuseArgument("storage is float32 or float16");
    options.storage = is("storage", "float32") ? Storage::kFloat32 : Storage::kFloat16;
    options.shards = IntegerOf(given.Get("shards"), "shards", 1, kMaxShards);
    options.drift_cosine = static_cast<float>(NumberOf(given.Get("driftCosine"), "driftCosine", -1, 1));
    options.default_ef = IntegerOf(given.Get("ef"), "ef", 1, kMaxEf);
    options.scan_rows_per_ef = IntegerOf(given.Get("scanRowsPerEf"), "scanRowsPerEf", 0, 1000000);
    if (!given.Get("longestShare").IsUndefined()) options.longest_share = static_cast<float>(NumberOf(given.Get("longestShare"), "longestShare", 0, 1));
    options.generation = IntegerOf(given.Get("generation"), "generation", 0, UINT32_MAX);
    const Index index = std::make_shared<VectorIndex>(options);
    return Opened(info.Env(), StateOf(info), index, Registry::Get().Add(index));
  });
}

// (handle)
Napi::Value Attach(const Napi::CallbackInfo& info) {
  return Answer(info.Env(), [&]() -> Napi::Value {
    const uint32_t handle = IntegerOf(info[0], "handle", 0, UINT32_MAX);
    const Index index = Registry::Get().Find(handle);
    if (index == nullptr) RefuseArgument("no vector index is open with handle " + std::to_string(handle));
    return Opened(info.Env(), StateOf(info), index, handle);
  });
}

// (bytes: Uint8Array, before)
Napi::Value Checksum(const Napi::CallbackInfo& info) {
  return Answer(info.Env(), [&]() -> Napi::Value {
    const auto bytes = TypedArrayOf<Napi::Uint8Array>(info[0], "bytes", napi_uint8_array, "Uint8Array");
    const uint32_t before = info[1].IsUndefined() ? 0 : IntegerOf(info[1], "before", 0, UINT32_MAX);
    return Napi::Number::New(info.Env(), Crc32c(before, bytes.Data(), bytes.ElementLength()));
  });
}

}  // namespace

}  // namespace kindred::binding

void InitVectorIndex(Napi::Env env, Napi::Object exports) {
  using namespace kindred::binding;
  auto* state = new EnvState();
  // References of a dead environment must not be touched: only the jobs are ended.
  napi_add_env_cleanup_hook(
      env, [](void* data) { static_cast<EnvState*>(data)->jobs.reset(); }, state);
  state->index_class = Napi::Persistent(IndexObject::Define(env, state));
  state->staged_class = Napi::Persistent(StagedObject::Define(env, state));
  state->frozen_class = Napi::Persistent(FrozenObject::Define(env, state));
  exports.Set("createVectorIndex", Napi::Function::New(env, Create, "createVectorIndex", state));
  exports.Set("attachVectorIndex", Napi::Function::New(env, Attach, "attachVectorIndex", state));
  exports.Set("crc32c", Napi::Function::New(env, Checksum, "crc32c", state));
}
