// The index in JavaScript: its properties, the writer's calls and figures, all answered at once.
#include <cmath>

#include "vector_index_objects.h"

namespace kindred::binding {

Napi::Function IndexObject::Define(Napi::Env env, EnvState* state) {
  return DefineClass(
      env, "VectorIndex",
      {InstanceAccessor<&IndexObject::Handle>("handle"), InstanceAccessor<&IndexObject::Size>("size"), InstanceAccessor<&IndexObject::Options>("options"),
       InstanceAccessor<&IndexObject::DefaultEf, &IndexObject::SetDefaultEf>("defaultEf"), InstanceMethod<&IndexObject::Upsert>("upsert"),
       InstanceMethod<&IndexObject::Remove>("remove"), InstanceMethod<&IndexObject::Vector>("vector"), InstanceMethod<&IndexObject::Search>("search"),
       InstanceMethod<&IndexObject::Build>("build", napi_default, state), InstanceMethod<&IndexObject::Verify>("verify", napi_default, state),
       InstanceMethod<&IndexObject::Publish>("publish", napi_default, state), InstanceMethod<&IndexObject::MeasureRecall>("measureRecall", napi_default, state),
       InstanceMethod<&IndexObject::Freeze>("freeze", napi_default, state), InstanceMethod<&IndexObject::Load>("load", napi_default, state),
       InstanceMethod<&IndexObject::Stats>("stats"), InstanceMethod<&IndexObject::Close>("close")},
      state);
}

Napi::Value IndexObject::Handle(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), handle_); }

Napi::Value IndexObject::Size(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), index_ == nullptr ? 0 : index_->size()); }

Napi::Value IndexObject::Options(const Napi::CallbackInfo& info) {
  return Answer(info.Env(), [&]() -> Napi::Value {
    const IndexOptions& options = Open()->options();
    Napi::Object out = Napi::Object::New(info.Env());
    out.Set("dims", options.dims);
    out.Set("metric", options.metric == Metric::kCosine ? "cosine" : "inner-product");
    out.Set("storage", options.storage == Storage::kFloat32 ? "float32" : "float16");
    out.Set("shards", options.shards);
    out.Set("driftCosine", options.drift_cosine);
    out.Set("generation", options.generation);
    return out;
  });
}

Napi::Value IndexObject::DefaultEf(const Napi::CallbackInfo& info) {
  return Answer(info.Env(), [&]() -> Napi::Value { return Napi::Number::New(info.Env(), Open()->default_ef()); });
}

void IndexObject::SetDefaultEf(const Napi::CallbackInfo& info, const Napi::Value& value) {
  Answer(info.Env(), [&]() -> Napi::Value {
    Open()->set_default_ef(IntegerOf(value, "ef", 1, kMaxEf));
    return info.Env().Undefined();
  });
}

Napi::Value IndexObject::Upsert(const Napi::CallbackInfo& info) {
  return Answer(info.Env(), [&]() -> Napi::Value {
    const Napi::Uint32Array ordinals = OrdinalsOf(info[0], "ordinals");
    const Napi::Float32Array vectors = FloatsOf(info[1], "vectors");
    if (ordinals.ElementLength() * dims() != vectors.ElementLength()) RefuseArgument("vectors hold one row of dims for each ordinal");
    if (ordinals.ElementLength() > UINT32_MAX / 2) RefuseArgument("too many rows in one batch");
    Open()->Upsert(ordinals.Data(), static_cast<uint32_t>(ordinals.ElementLength()), vectors.Data());
    return info.Env().Undefined();
  });
}

Napi::Value IndexObject::Remove(const Napi::CallbackInfo& info) {
  return Answer(info.Env(), [&]() -> Napi::Value {
    const Napi::Uint32Array ordinals = OrdinalsOf(info[0], "ordinals");
    Open()->Remove(ordinals.Data(), static_cast<uint32_t>(ordinals.ElementLength()));
    return info.Env().Undefined();
  });
}

Napi::Value IndexObject::Vector(const Napi::CallbackInfo& info) {
  return Answer(info.Env(), [&]() -> Napi::Value {
    const uint32_t ordinal = IntegerOf(info[0], "ordinal", 0, UINT32_MAX);
    std::vector<float> vector(dims());
    if (!Open()->Vector(ordinal, vector.data())) return info.Env().Undefined();
    auto out = Napi::Float32Array::New(info.Env(), vector.size());
    std::copy(vector.begin(), vector.end(), out.Data());
    return out;
  });
}

Napi::Value IndexObject::Stats(const Napi::CallbackInfo& info) {
  return Answer(info.Env(), [&]() -> Napi::Value {
    const IndexStats stats = Open()->Stats();
    Napi::Object out = Napi::Object::New(info.Env());
    const auto set = [&](const char* name, size_t value) { out.Set(name, Napi::Number::New(info.Env(), static_cast<double>(value))); };
    set("size", stats.size);
    set("buckets", stats.buckets);
    set("bucketMembers", stats.bucket_members);
    Napi::Array shards = Napi::Array::New(info.Env(), stats.shards.size());
    for (uint32_t i = 0; i < stats.shards.size(); i++) {
      const ShardStats& one = stats.shards[i];
      Napi::Object shard = Napi::Object::New(info.Env());
      shard.Set("rows", one.rows);
      shard.Set("nodes", one.nodes);
      shard.Set("fresh", one.fresh);
      shard.Set("drifted", one.drifted);
      shard.Set("removed", one.removed);
      shard.Set("changed", one.changed);
      shard.Set("building", Napi::Boolean::New(info.Env(), one.building));
      shards[i] = shard;
    }
    out.Set("shards", shards);
    set("limboSlots", stats.limbo_slots);
    set("retired", stats.retired_sets);
    set("swaps", stats.swaps);
    Napi::Object memory = Napi::Object::New(info.Env());
    memory.Set("table", Napi::Number::New(info.Env(), static_cast<double>(stats.table_bytes)));
    memory.Set("graph", Napi::Number::New(info.Env(), static_cast<double>(stats.graph_bytes)));
    memory.Set("fresh", Napi::Number::New(info.Env(), static_cast<double>(stats.fresh_bytes)));
    memory.Set("writer", Napi::Number::New(info.Env(), static_cast<double>(stats.writer_bytes)));
    out.Set("memoryBytes", memory);
    out.Set("kernel", Open()->kernel());
    return out;
  });
}

Napi::Value IndexObject::Close(const Napi::CallbackInfo& info) {
  cancelled_->store(true);
  index_.reset();
  return info.Env().Undefined();
}

}  // namespace kindred::binding
