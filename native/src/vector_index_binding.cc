// The vector index at the border to JavaScript. Every argument is checked here before it crosses; no exception passes.
#include <napi.h>

#include <cmath>
#include <unordered_map>

#include "background_job.h"
#include "crc32c.h"
#include "frozen_shard.h"
#include "staged_graph.h"
#include "vector_index.h"

namespace kindred {

namespace {

using Index = std::shared_ptr<VectorIndex>;

// Of each environment.
struct EnvState {
  Napi::FunctionReference index_class, staged_class, frozen_class;
  std::unique_ptr<BackgroundJobs> jobs = std::make_unique<BackgroundJobs>();
};

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

// ---- arguments ----

double NumberOf(const Napi::Value& value, const char* name, double least, double most) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= least && number <= most)) RefuseArgument(std::string(name) + " is a number from " + std::to_string(least) + " to " + std::to_string(most));
  return number;
}
uint32_t IntegerOf(const Napi::Value& value, const char* name, uint32_t least, uint32_t most) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= least && number <= most) || number != std::floor(number))
    RefuseArgument(std::string(name) + " is an integer from " + std::to_string(least) + " to " + std::to_string(most));
  return static_cast<uint32_t>(number);
}
template <typename Array>
Array TypedArrayOf(const Napi::Value& value, const char* name, napi_typedarray_type type, const char* type_name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) RefuseArgument(std::string(name) + " is a " + type_name);
  return value.As<Array>();
}
Napi::Uint32Array OrdinalsOf(const Napi::Value& value, const char* name) {
  return TypedArrayOf<Napi::Uint32Array>(value, name, napi_uint32_array, "Uint32Array");
}
Napi::Float32Array FloatsOf(const Napi::Value& value, const char* name) {
  return TypedArrayOf<Napi::Float32Array>(value, name, napi_float32_array, "Float32Array");
}
void CheckQuery(const float* query, size_t count, Metric metric) {
  for (size_t i = 0; i < count; i++)
    if (!(std::fabs(query[i]) <= (metric == Metric::kCosine ? 3.4e38f : 1e15f))) RefuseArgument("a query holds a number that is not finite or too large");
}

// For calls that answer at once: whatever is thrown becomes a JavaScript error with a code.
template <typename Work>
Napi::Value Answer(Napi::Env env, Work work) {
  Napi::Value value = env.Undefined();
  Failure failure;
  try {
    failure = Caught([&] {
      try {
        value = work();
      } catch (const Napi::Error&) {
        throw;
      }
    });
  } catch (...) {
    failure = {"INTERNAL", ""};
  }
  if (failure.failed()) throw failure.ToError(env);
  return value;
}

// ---- searches, on libuv's pool ----

class SearchWorker final : public Napi::AsyncWorker {
 public:
  SearchWorker(Napi::Env env, Index index, SearchRequest request)
      : Napi::AsyncWorker(env, "kindred search"), deferred_(Napi::Promise::Deferred::New(env)), index_(std::move(index)), request_(std::move(request)) {}
  Napi::Promise Promise() { return deferred_.Promise(); }

  void Execute() override {
    failure_ = Caught([&] { answer_ = index_->Search(request_); });
  }
  void OnOK() override {
    Napi::Env env = Env();
    if (failure_.failed()) return deferred_.Reject(failure_.ToError(env).Value());
    size_t total = 0;
    for (const auto& found : answer_.found) total += found.size();
    auto ordinals = Napi::Uint32Array::New(env, total);
    auto scores = Napi::Float32Array::New(env, total);
    auto counts = Napi::Uint32Array::New(env, answer_.found.size());
    size_t at = 0;
    for (size_t q = 0; q < answer_.found.size(); q++) {
      counts[q] = static_cast<uint32_t>(answer_.found[q].size());
      for (const Scored& one : answer_.found[q]) {
        ordinals[at] = one.ordinal;
        scores[at++] = one.score;
      }
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("ordinals", ordinals);
    result.Set("scores", scores);
    result.Set("counts", counts);
    result.Set("degraded", Napi::Boolean::New(env, answer_.degraded));
    deferred_.Resolve(result);
  }

 private:
  Napi::Promise::Deferred deferred_;
  const Index index_;
  const SearchRequest request_;
  SearchAnswer answer_;
  Failure failure_;
};

// ---- classes ----

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

EnvState& StateOf(const Napi::CallbackInfo& info) { return *static_cast<EnvState*>(info.Data()); }

class StagedObject : public Napi::ObjectWrap<StagedObject>, Wrapped<StagedGraph> {
 public:
  static Napi::Function Define(Napi::Env env, EnvState* state) {
    return DefineClass(env, "StagedGraph", {InstanceAccessor<&StagedObject::Nodes>("nodes"), InstanceMethod<&StagedObject::Discard>("discard")}, state);
  }
  explicit StagedObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<StagedObject>(info), staged_(Take(info)) {}
  std::shared_ptr<StagedGraph> staged() {
    if (staged_ == nullptr) RefuseArgument("the graph was discarded");
    return staged_;
  }

 private:
  Napi::Value Nodes(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), staged_ == nullptr ? 0 : staged_->nodes()); }
  void Discard(const Napi::CallbackInfo&) { staged_.reset(); }
  std::shared_ptr<StagedGraph> staged_;
};

class FrozenObject : public Napi::ObjectWrap<FrozenObject>, Wrapped<FrozenShard> {
 public:
  static Napi::Function Define(Napi::Env env, EnvState* state) {
    return DefineClass(env, "FrozenShard",
                       {InstanceAccessor<&FrozenObject::Ordinals>("ordinals"), InstanceAccessor<&FrozenObject::Nodes>("nodes"),
                        InstanceMethod<&FrozenObject::Write>("write", napi_default, state)},
                       state);
  }
  explicit FrozenObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<FrozenObject>(info), frozen_(Take(info)) {}

 private:
  Napi::Value Ordinals(const Napi::CallbackInfo& info) {
    auto ordinals = Napi::Uint32Array::New(info.Env(), frozen_->ordinals.size());
    std::copy(frozen_->ordinals.begin(), frozen_->ordinals.end(), ordinals.Data());
    return ordinals;
  }
  Napi::Value Nodes(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), frozen_->graph == nullptr ? 0 : frozen_->graph->size()); }
  Napi::Value Write(const Napi::CallbackInfo& info) {
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
  std::shared_ptr<FrozenShard> frozen_;
};

class IndexObject : public Napi::ObjectWrap<IndexObject>, Wrapped<VectorIndex> {
 public:
  static Napi::Function Define(Napi::Env env, EnvState* state) {
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
  explicit IndexObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<IndexObject>(info), index_(Take(info)) {}
  ~IndexObject() override { cancelled_->store(true); }
  void set_handle(uint32_t handle) { handle_ = handle; }

 private:
  const Index& Open() const {
    if (index_ == nullptr) RefuseArgument("the index is closed");
    return index_;
  }
  uint32_t dims() const { return Open()->options().dims; }

  Napi::Value Handle(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), handle_); }
  Napi::Value Size(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), index_ == nullptr ? 0 : index_->size()); }
  Napi::Value Options(const Napi::CallbackInfo& info) {
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
  Napi::Value DefaultEf(const Napi::CallbackInfo& info) {
    return Answer(info.Env(), [&]() -> Napi::Value { return Napi::Number::New(info.Env(), Open()->default_ef()); });
  }
  void SetDefaultEf(const Napi::CallbackInfo& info, const Napi::Value& value) {
    Answer(info.Env(), [&]() -> Napi::Value {
      Open()->set_default_ef(IntegerOf(value, "ef", 1, kMaxEf));
      return info.Env().Undefined();
    });
  }

  // (ordinals, vectors)
  Napi::Value Upsert(const Napi::CallbackInfo& info) {
    return Answer(info.Env(), [&]() -> Napi::Value {
      const Napi::Uint32Array ordinals = OrdinalsOf(info[0], "ordinals");
      const Napi::Float32Array vectors = FloatsOf(info[1], "vectors");
      if (ordinals.ElementLength() * dims() != vectors.ElementLength()) RefuseArgument("vectors hold one row of dims for each ordinal");
      if (ordinals.ElementLength() > UINT32_MAX / 2) RefuseArgument("too many rows in one batch");
      Open()->Upsert(ordinals.Data(), static_cast<uint32_t>(ordinals.ElementLength()), vectors.Data());
      return info.Env().Undefined();
    });
  }
  // (ordinals)
  Napi::Value Remove(const Napi::CallbackInfo& info) {
    return Answer(info.Env(), [&]() -> Napi::Value {
      const Napi::Uint32Array ordinals = OrdinalsOf(info[0], "ordinals");
      Open()->Remove(ordinals.Data(), static_cast<uint32_t>(ordinals.ElementLength()));
      return info.Env().Undefined();
    });
  }
  // (ordinal)
  Napi::Value Vector(const Napi::CallbackInfo& info) {
    return Answer(info.Env(), [&]() -> Napi::Value {
      const uint32_t ordinal = IntegerOf(info[0], "ordinal", 0, UINT32_MAX);
      std::vector<float> vector(dims());
      if (!Open()->Vector(ordinal, vector.data())) return info.Env().Undefined();
      auto out = Napi::Float32Array::New(info.Env(), vector.size());
      std::copy(vector.begin(), vector.end(), out.Data());
      return out;
    });
  }
  // (queries: Float32Array of count x dims, or an ordinal; k, ef or 0, exclude, allow, deadlineMs or 0, exact)
  Napi::Value Search(const Napi::CallbackInfo& info) {
    return Answer(info.Env(), [&]() -> Napi::Value {
      SearchRequest request;
      request.k = IntegerOf(info[1], "k", 1, kMaxK);
      request.ef = IntegerOf(info[2], "ef", 0, kMaxEf);
      if (info[0].IsNumber()) {
        request.from = IntegerOf(info[0], "ordinal", 0, UINT32_MAX);
        Open();
      } else {
        const Napi::Float32Array queries = FloatsOf(info[0], "queries");
        const size_t floats = queries.ElementLength();
        if (floats == 0 || floats % dims() != 0) RefuseArgument("a query has " + std::to_string(dims()) + " numbers");
        CheckQuery(queries.Data(), floats, Open()->options().metric);
        request.count = static_cast<uint32_t>(floats / dims());
        request.queries.assign(queries.Data(), queries.Data() + floats);
      }
      CopyOrdinals(info[3], "exclude", request.exclude);
      request.has_allow = CopyOrdinals(info[4], "allow", request.allow);
      request.deadline = Deadline::After(NumberOf(info[5], "deadlineMs", 0, 1e12));
      request.exact = info[6].ToBoolean().Value();
      auto* worker = new SearchWorker(info.Env(), Open(), std::move(request));
      worker->Queue();
      return worker->Promise();
    });
  }
  static bool CopyOrdinals(const Napi::Value& value, const char* name, std::vector<uint32_t>& into) {
    if (value.IsUndefined() || value.IsNull()) return false;
    const Napi::Uint32Array ordinals = OrdinalsOf(value, name);
    into.assign(ordinals.Data(), ordinals.Data() + ordinals.ElementLength());
    return true;
  }
  // (shard, m, efConstruction, seed) -> StagedGraph, or undefined when the index was closed meanwhile
  Napi::Value Build(const Napi::CallbackInfo& info) {
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
  static std::shared_ptr<StagedGraph> StagedOf(const Napi::CallbackInfo& info) {
    if (!info[0].IsObject() || !info[0].As<Napi::Object>().InstanceOf(StateOf(info).staged_class.Value())) RefuseArgument("a StagedGraph is wanted");
    return StagedObject::Unwrap(info[0].As<Napi::Object>())->staged();
  }
  // (staged, samples, k, ef or 0, seed) -> recall@k, or -1 when the index was closed meanwhile
  Napi::Value Verify(const Napi::CallbackInfo& info) {
    return Answer(info.Env(), [&]() -> Napi::Value {
      auto recall = std::make_shared<double>(-1);
      const uint32_t samples = IntegerOf(info[1], "samples", 1, 100000), k = IntegerOf(info[2], "k", 1, kMaxK), ef = IntegerOf(info[3], "ef", 0, kMaxEf),
                     seed = IntegerOf(info[4], "seed", 0, UINT32_MAX);
      return StateOf(info).jobs->Run(
          info.Env(), cancelled_,
          [index = Open(), cancelled = cancelled_, staged = StagedOf(info), samples, k, ef, seed, recall] {
            *recall = index->Verify(*staged, samples, k, ef, seed, *cancelled);
          },
          [recall](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, *recall); });
    });
  }
  // (staged, minRecall)
  Napi::Value Publish(const Napi::CallbackInfo& info) {
    return Answer(info.Env(), [&]() -> Napi::Value {
      const double least = NumberOf(info[1], "minRecall", 0, 1);
      return StateOf(info).jobs->Run(
          info.Env(), cancelled_, [index = Open(), staged = StagedOf(info), least] { index->Publish(*staged, least); },
          [](Napi::Env env) -> Napi::Value { return env.Undefined(); });
    });
  }
  // (samples, k, ef or 0, seed) -> recall@k or -1
  Napi::Value MeasureRecall(const Napi::CallbackInfo& info) {
    return Answer(info.Env(), [&]() -> Napi::Value {
      auto recall = std::make_shared<double>(-1);
      const uint32_t samples = IntegerOf(info[0], "samples", 1, 100000), k = IntegerOf(info[1], "k", 1, kMaxK), ef = IntegerOf(info[2], "ef", 0, kMaxEf),
                     seed = IntegerOf(info[3], "seed", 0, UINT32_MAX);
      return StateOf(info).jobs->Run(
          info.Env(), cancelled_, [index = Open(), cancelled = cancelled_, samples, k, ef, seed, recall] { *recall = index->MeasureRecall(samples, k, ef, seed, *cancelled); },
          [recall](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, *recall); });
    });
  }
  // (shard) -> FrozenShard
  Napi::Value Freeze(const Napi::CallbackInfo& info) {
    return Answer(info.Env(), [&]() -> Napi::Value {
      const uint32_t shard = IntegerOf(info[0], "shard", 0, Open()->options().shards - 1);
      auto frozen = std::make_shared<std::shared_ptr<FrozenShard>>();
      EnvState& state = StateOf(info);
      return state.jobs->Run(
          info.Env(), cancelled_, [index = Open(), shard, frozen] { *frozen = index->Freeze(shard); },
          [frozen, &state](Napi::Env env) -> Napi::Value { return Wrap(env, state.frozen_class, std::move(*frozen)); });
    });
  }
  // (shard, prefix, files: {suffix, bytes, crc32c}[], ordinals of the rows, 0x7fffffff where unknown)
  Napi::Value Load(const Napi::CallbackInfo& info) {
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
          [](Napi::Env env) -> Napi::Value { return env.Undefined(); });
    });
  }
  Napi::Value Stats(const Napi::CallbackInfo& info) {
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
  // Searches under way go on to their end; builds stop.
  Napi::Value Close(const Napi::CallbackInfo& info) {
    cancelled_->store(true);
    index_.reset();
    return info.Env().Undefined();
  }

  Index index_;
  uint32_t handle_ = 0;
  std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
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

}  // namespace kindred

void InitVectorIndex(Napi::Env env, Napi::Object exports) {
  using namespace kindred;
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
