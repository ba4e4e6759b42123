// Long work from JavaScript, each on a thread of its own: builds and verification at low priority, publishing and
// loading at normal.
#include "vector_index_objects.h"

namespace kindred::binding {

namespace {

std::shared_ptr<StagedGraph> StagedOf(const Napi::CallbackInfo& info) {
  if (!info[0].IsObject() || !info[0].As<Napi::Object>().InstanceOf(StateOf(info).staged_class.Value())) RefuseArgument("a StagedGraph is wanted");
  return StagedObject::Unwrap(info[0].As<Napi::Object>())->staged();
}

Napi::Value ToObject(Napi::Env env, const MeasuredRecall& measured) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("recall", measured.recall);
  out.Set("standardError", measured.standard_error);
  out.Set("queries", measured.queries);
  out.Set("walked", measured.walked);
  out.Set("cpuSeconds", measured.cpu_seconds);
  return out;
}

}  // namespace

Napi::Value IndexObject::Build(const Napi::CallbackInfo& info) {
  return Answer(info.Env(), [&]() -> Napi::Value {
    const uint32_t shard = IntegerOf(info[0], "shard", 0, Open()->options().shards - 1);
    BuildParams params;
    params.m = IntegerOf(info[1], "m", 2, 64);
    params.ef_construction = IntegerOf(info[2], "efConstruction", 8, 2000);
    params.seed = IntegerOf(info[3], "seed", 0, UINT32_MAX);
    auto staged = std::make_shared<std::shared_ptr<StagedGraph>>();
    EnvState& state = StateOf(info);
    return state.jobs->Run(
        info.Env(), cancelled_, [index = Open(), cancelled = cancelled_, shard, params, staged] { *staged = index->Stage(shard, params, *cancelled); },
        [staged, &state](Napi::Env env) -> Napi::Value {
          if (*staged == nullptr) return env.Undefined();
          return Wrap(env, state.staged_class, std::move(*staged));
        });
  });
}

Napi::Value IndexObject::Verify(const Napi::CallbackInfo& info) {
  return Answer(info.Env(), [&]() -> Napi::Value {
    auto measured = std::make_shared<MeasuredRecall>();
    const uint32_t samples = IntegerOf(info[1], "samples", 1, 100000), k = IntegerOf(info[2], "k", 1, kMaxK), ef = IntegerOf(info[3], "ef", 0, kMaxEf),
                   seed = IntegerOf(info[4], "seed", 0, UINT32_MAX);
    return StateOf(info).jobs->Run(
        info.Env(), cancelled_,
        [index = Open(), cancelled = cancelled_, staged = StagedOf(info), samples, k, ef, seed, measured] {
          *measured = index->Verify(*staged, samples, k, ef, seed, *cancelled);
        },
        [measured](Napi::Env env) -> Napi::Value { return ToObject(env, *measured); });
  });
}

Napi::Value IndexObject::Publish(const Napi::CallbackInfo& info) {
  return Answer(info.Env(), [&]() -> Napi::Value {
    const double least = NumberOf(info[1], "minRecall", 0, 1);
    return StateOf(info).jobs->Run(
        info.Env(), cancelled_, [index = Open(), staged = StagedOf(info), least] { index->Publish(*staged, least); },
        [](Napi::Env env) -> Napi::Value { return env.Undefined(); }, Priority::kNormal);
  });
}

Napi::Value IndexObject::MeasureRecall(const Napi::CallbackInfo& info) {
  return Answer(info.Env(), [&]() -> Napi::Value {
    auto measured = std::make_shared<MeasuredRecall>();
    const uint32_t samples = IntegerOf(info[0], "samples", 1, 100000), k = IntegerOf(info[1], "k", 1, kMaxK), ef = IntegerOf(info[2], "ef", 0, kMaxEf),
                   seed = IntegerOf(info[3], "seed", 0, UINT32_MAX);
    return StateOf(info).jobs->Run(
        info.Env(), cancelled_, [index = Open(), cancelled = cancelled_, samples, k, ef, seed, measured] { *measured = index->MeasureRecall(samples, k, ef, seed, *cancelled); },
        [measured](Napi::Env env) -> Napi::Value { return ToObject(env, *measured); });
  });
}

Napi::Value IndexObject::Freeze(const Napi::CallbackInfo& info) {
  return Answer(info.Env(), [&]() -> Napi::Value {
    const uint32_t shard = IntegerOf(info[0], "shard", 0, Open()->options().shards - 1);
    auto frozen = std::make_shared<std::shared_ptr<FrozenShard>>();
    EnvState& state = StateOf(info);
    return state.jobs->Run(
        info.Env(), cancelled_, [index = Open(), shard, frozen] { *frozen = index->Freeze(shard); },
        [frozen, &state](Napi::Env env) -> Napi::Value { return Wrap(env, state.frozen_class, std::move(*frozen)); });
  });
}

Napi::Value IndexObject::Load(const Napi::CallbackInfo& info) {
  return Answer(info.Env(), [&]() -> Napi::Value {
    const uint32_t shard = IntegerOf(info[0], "shard", 0, Open()->options().shards - 1);
    if (!info[1].IsString() || !info[2].IsArray()) RefuseArgument("prefix is a string, files an array");
    std::vector<WrittenFile> files;
    const Napi::Array given = info[2].As<Napi::Array>();
    for (uint32_t i = 0; i < given.Length(); i++) {
      const Napi::Value file = given[i];
      if (!file.IsObject()) RefuseArgument("a file is an object");
      const Napi::Object object = file.As<Napi::Object>();
      files.push_back({object.Get("suffix").ToString().Utf8Value(), static_cast<uint64_t>(NumberOf(object.Get("bytes"), "bytes", 0, 9e15)),
                       IntegerOf(object.Get("crc32c"), "crc32c", 0, UINT32_MAX)});
    }
    const Napi::Uint32Array ordinals = OrdinalsOf(info[3], "ordinals");
    std::vector<uint32_t> of_rows(ordinals.Data(), ordinals.Data() + ordinals.ElementLength());
    for (uint32_t ordinal : of_rows)
      if (ordinal > kNoOrdinalMark) RefuseArgument("ordinals are below 2^31");
    return StateOf(info).jobs->Run(
        info.Env(), cancelled_,
        [index = Open(), shard, prefix = info[1].As<Napi::String>().Utf8Value(), files = std::move(files), of_rows = std::move(of_rows)] {
          const IndexOptions& options = index->options();
          auto loaded = ReadShardFiles(prefix, files, options.dims, PaddedDims(options.storage, options.dims), static_cast<uint8_t>(options.metric),
                                       static_cast<uint32_t>(of_rows.size()));
          loaded->ordinals = of_rows;
          index->Load(shard, *loaded);
        },
        [](Napi::Env env) -> Napi::Value { return env.Undefined(); }, Priority::kNormal);
  });
}

}  // namespace kindred::binding
