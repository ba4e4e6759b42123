// A staged graph and a frozen shard in JavaScript.
#include "vector_index_objects.h"

namespace kindred::binding {

Napi::Function StagedObject::Define(Napi::Env env, EnvState* state) {
  return DefineClass(env, "StagedGraph", {InstanceAccessor<&StagedObject::Nodes>("nodes"), InstanceMethod<&StagedObject::Discard>("discard")}, state);
}

std::shared_ptr<StagedGraph> StagedObject::staged() {
  if (staged_ == nullptr) RefuseArgument("the graph was discarded");
  return staged_;
}

Napi::Value StagedObject::Nodes(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), staged_ == nullptr ? 0 : staged_->nodes()); }

void StagedObject::Discard(const Napi::CallbackInfo&) { staged_.reset(); }

Napi::Function FrozenObject::Define(Napi::Env env, EnvState* state) {
  return DefineClass(env, "FrozenShard",
                     {InstanceAccessor<&FrozenObject::Ordinals>("ordinals"), InstanceAccessor<&FrozenObject::Nodes>("nodes"),
                      InstanceMethod<&FrozenObject::Write>("write", napi_default, state)},
                     state);
}

Napi::Value FrozenObject::Ordinals(const Napi::CallbackInfo& info) {
  auto ordinals = Napi::Uint32Array::New(info.Env(), frozen_->ordinals.size());
  std::copy(frozen_->ordinals.begin(), frozen_->ordinals.end(), ordinals.Data());
  return ordinals;
}

Napi::Value FrozenObject::Nodes(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), frozen_->graph == nullptr ? 0 : frozen_->graph->size()); }

Napi::Value FrozenObject::Write(const Napi::CallbackInfo& info) {
  return Answer(info.Env(), [&]() -> Napi::Value {
    if (!info[0].IsString()) RefuseArgument("prefix is a string");
    auto written = std::make_shared<std::vector<WrittenFile>>();
    return StateOf(info).jobs->Run(
        info.Env(), std::make_shared<std::atomic<bool>>(false),
        [frozen = frozen_, prefix = info[0].As<Napi::String>().Utf8Value(), written] { *written = WriteShardFiles(*frozen, prefix); },
        [written](Napi::Env env) -> Napi::Value {
          Napi::Array files = Napi::Array::New(env, written->size());
          for (uint32_t i = 0; i < written->size(); i++) {
            Napi::Object file = Napi::Object::New(env);
            file.Set("suffix", (*written)[i].suffix);
            file.Set("bytes", static_cast<double>((*written)[i].bytes));
            file.Set("crc32c", (*written)[i].crc32c);
            files[i] = file;
          }
          return files;
        });
  });
}

}  // namespace kindred::binding
