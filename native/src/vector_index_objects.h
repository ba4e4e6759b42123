// The objects that JavaScript holds: the index, and what lies between two of its calls, a staged graph and a frozen
// shard. Every argument is checked before it crosses; no exception passes.
#pragma once
#include <napi.h>

#include <atomic>
#include <memory>

#include "background_job.h"
#include "frozen_shard.h"
#include "staged_graph.h"
#include "vector_index_arguments.h"

namespace kindred::binding {

using Index = std::shared_ptr<VectorIndex>;

// Of each environment.
struct EnvState {
  Napi::FunctionReference index_class, staged_class, frozen_class;
  std::unique_ptr<BackgroundJobs> jobs = std::make_unique<BackgroundJobs>();
};
inline EnvState& StateOf(const Napi::CallbackInfo& info) { return *static_cast<EnvState*>(info.Data()); }

// A wrapped object whose insides come from C++ only, through an External.
template <typename Held>
class Wrapped {
 protected:
  static std::shared_ptr<Held> Take(const Napi::CallbackInfo& info) {
    if (info.Length() != 1 || !info[0].IsExternal()) throw Failure{"INVALID_ARGUMENT", "not to be constructed"}.ToError(info.Env());
    return *info[0].As<Napi::External<std::shared_ptr<Held>>>().Data();
  }
};
template <typename Held>
Napi::Object Wrap(Napi::Env env, const Napi::FunctionReference& type, std::shared_ptr<Held> held) {
  return type.New({Napi::External<std::shared_ptr<Held>>::New(env, &held)});
}

class StagedObject : public Napi::ObjectWrap<StagedObject>, Wrapped<StagedGraph> {
 public:
  static Napi::Function Define(Napi::Env env, EnvState* state);
  explicit StagedObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<StagedObject>(info), staged_(Take(info)) {}
  std::shared_ptr<StagedGraph> staged();

 private:
  Napi::Value Nodes(const Napi::CallbackInfo& info);
  void Discard(const Napi::CallbackInfo&);
  std::shared_ptr<StagedGraph> staged_;
};

class FrozenObject : public Napi::ObjectWrap<FrozenObject>, Wrapped<FrozenShard> {
 public:
  static Napi::Function Define(Napi::Env env, EnvState* state);
  explicit FrozenObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<FrozenObject>(info), frozen_(Take(info)) {}

 private:
  Napi::Value Ordinals(const Napi::CallbackInfo& info);
  Napi::Value Nodes(const Napi::CallbackInfo& info);
  Napi::Value Write(const Napi::CallbackInfo& info);
  std::shared_ptr<FrozenShard> frozen_;
};

// Properties, the writer and figures in vector_index_object.cc, searches and long work in files of their own.
class IndexObject : public Napi::ObjectWrap<IndexObject>, Wrapped<VectorIndex> {
 public:
  static Napi::Function Define(Napi::Env env, EnvState* state);
  explicit IndexObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<IndexObject>(info), index_(Take(info)) {}
  ~IndexObject() override { cancelled_->store(true); }
  void set_handle(uint32_t handle) { handle_ = handle; }

 private:
  const Index& Open() const {
    if (index_ == nullptr) RefuseArgument("the index is closed");
    return index_;
  }
  uint32_t dims() const { return Open()->options().dims; }

  Napi::Value Handle(const Napi::CallbackInfo& info);
  Napi::Value Size(const Napi::CallbackInfo& info);
  Napi::Value Options(const Napi::CallbackInfo& info);
  Napi::Value DefaultEf(const Napi::CallbackInfo& info);
  void SetDefaultEf(const Napi::CallbackInfo& info, const Napi::Value& value);
  // (ordinals, vectors)
  Napi::Value Upsert(const Napi::CallbackInfo& info);
  // (ordinals)
  Napi::Value Remove(const Napi::CallbackInfo& info);
  // (ordinal)
  Napi::Value Vector(const Napi::CallbackInfo& info);
  // (queries: Float32Array of count x dims, or an ordinal; k, ef or 0, exclude, allow, deadlineMs or 0, exact)
  Napi::Value Search(const Napi::CallbackInfo& info);
  // (shard, m, efConstruction, seed) -> StagedGraph, or undefined when the index was closed meanwhile
  Napi::Value Build(const Napi::CallbackInfo& info);
  // (staged, samples, k, ef or 0, seed) -> what was measured; a recall of -1 when the index was closed meanwhile
  Napi::Value Verify(const Napi::CallbackInfo& info);
  // (staged, minRecall)
  Napi::Value Publish(const Napi::CallbackInfo& info);
  // (samples, k, ef or 0, seed) -> what was measured; a recall of -1 where there was nothing to ask
  Napi::Value MeasureRecall(const Napi::CallbackInfo& info);
  // (shard) -> FrozenShard
  Napi::Value Freeze(const Napi::CallbackInfo& info);
  // (shard, prefix, files: {suffix, bytes, crc32c}[], ordinals of the rows, 0x7fffffff where unknown)
  Napi::Value Load(const Napi::CallbackInfo& info);
  Napi::Value Stats(const Napi::CallbackInfo& info);
  // Searches under way go on to their end; builds stop.
  Napi::Value Close(const Napi::CallbackInfo& info);

  Index index_;
  uint32_t handle_ = 0;
  std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace kindred::binding
