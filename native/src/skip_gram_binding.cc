// Skip-gram at the border to JavaScript: a trainer is an object; training runs on threads of its own.
#include <napi.h>

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "skip_gram.h"
#include "vector_index_arguments.h"

namespace kindred::skip_gram {

namespace {

using binding::Answer;
using binding::IntegerOf;
using binding::NumberOf;

// Copies: JavaScript may change or drop what it gave.
std::vector<uint32_t> IntegersOf(const Napi::Value& value, const char* name) {
  const auto array = binding::OrdinalsOf(value, name);
  return {array.Data(), array.Data() + array.ElementLength()};
}
std::vector<float> FloatsOf(const Napi::Value& value, const char* name) {
  const auto array = binding::FloatsOf(value, name);
  return {array.Data(), array.Data() + array.ElementLength()};
}
Napi::Float32Array ToArray(Napi::Env env, const std::vector<float>& values) {
  auto array = Napi::Float32Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

Settings SettingsOf(const Napi::Object& given) {
  Settings settings;
  settings.dims = IntegerOf(given.Get("dims"), "dims", 1, 1024);
  settings.epochs = IntegerOf(given.Get("epochs"), "epochs", 1, 100000);
  settings.threads = IntegerOf(given.Get("threads"), "threads", 1, 64);
  settings.seed = IntegerOf(given.Get("seed"), "seed", 0, UINT32_MAX);
  settings.block = IntegerOf(given.Get("block"), "block", 2, 1024);
  settings.negatives = IntegerOf(given.Get("negatives"), "negatives", 1, 4096);
  settings.negative_weight = static_cast<float>(NumberOf(given.Get("negativeWeight"), "negativeWeight", 0, 1000));
  settings.strata_share = static_cast<float>(NumberOf(given.Get("strataShare"), "strataShare", 0, 1));
  settings.rate = static_cast<float>(NumberOf(given.Get("rate"), "rate", 0, 10));
  settings.last_rate = static_cast<float>(NumberOf(given.Get("lastRate"), "lastRate", 0, 10));
  settings.adagrad = given.Get("adagrad").ToBoolean();
  settings.plain = given.Get("plain").ToBoolean();
  return settings;
}

using Curve = std::array<double, kCurvePoints>;
Napi::Array ToArray(Napi::Env env, const Curve& values) {
  auto array = Napi::Array::New(env, values.size());
  for (uint32_t i = 0; i < values.size(); i++) array.Set(i, values[i]);
  return array;
}
Curve CurveOf(const Napi::Value& value, const char* name) {
  if (!value.IsArray() || value.As<Napi::Array>().Length() != kCurvePoints) RefuseArgument(std::string(name) + " has another number of points");
  Curve curve;
  for (uint32_t i = 0; i < kCurvePoints; i++) curve[i] = NumberOf(value.As<Napi::Array>().Get(i), name, 0, 1e300);
  return curve;
}

Relation RelationOf(const Napi::Value& value) {
  if (!value.IsObject()) RefuseArgument("a relation is an object");
  const auto given = value.As<Napi::Object>();
  return {IntegerOf(given.Get("first"), "first", 0, UINT32_MAX), IntegersOf(given.Get("starts"), "starts"), IntegersOf(given.Get("targets"), "targets"),
          FloatsOf(given.Get("weights"), "weights")};
}
MetaPath MetaPathOf(const Napi::Value& value) {
  if (!value.IsObject()) RefuseArgument("a path is an object");
  const auto given = value.As<Napi::Object>();
  return {IntegersOf(given.Get("relations"), "relations"), IntegersOf(given.Get("nodes"), "nodes")};
}
template <typename T>
std::vector<T> ListOf(const Napi::Value& value, const char* name, T (*one)(const Napi::Value&)) {
  if (!value.IsArray()) RefuseArgument(std::string(name) + " are an array");
  const auto array = value.As<Napi::Array>();
  std::vector<T> list;
  for (uint32_t i = 0; i < array.Length(); i++) list.push_back(one(array.Get(i)));
  return list;
}
std::optional<WalkData> WalksOf(const Napi::Value& value) {
  if (value.IsUndefined()) return std::nullopt;
  if (!value.IsObject()) RefuseArgument("walks are an object");
  const auto given = value.As<Napi::Object>();
  WalkData walks;
  walks.relations = ListOf(given.Get("relations"), "relations", RelationOf);
  walks.paths = ListOf(given.Get("paths"), "paths", MetaPathOf);
  walks.length = IntegerOf(given.Get("length"), "length", 2, 10000);
  walks.window = IntegerOf(given.Get("window"), "window", 1, 10000);
  walks.types = IntegerOf(given.Get("types"), "types", 1, 1000);
  for (const uint32_t context : IntegersOf(given.Get("contexts"), "contexts")) walks.contexts.push_back(context != 0);
  walks.typed_negatives = given.Get("typedNegatives").ToBoolean();
  return walks;
}

struct EnvState {
  std::unique_ptr<BackgroundJobs> jobs = std::make_unique<BackgroundJobs>();
};

class TrainerObject : public Napi::ObjectWrap<TrainerObject> {
 public:
  static Napi::Function Define(Napi::Env env, EnvState* state) {
    return DefineClass(env, "SkipGramTrainer",
                       {InstanceAccessor<&TrainerObject::Kernel>("kernel"), InstanceMethod<&TrainerObject::Train>("train", napi_default, state),
                        InstanceMethod<&TrainerObject::Stop>("stop"), InstanceMethod<&TrainerObject::GetProgress>("progress"),
                        InstanceMethod<&TrainerObject::Read>("read"), InstanceMethod<&TrainerObject::Write>("write"),
                        InstanceMethod<&TrainerObject::Step>("step"), InstanceMethod<&TrainerObject::Walk>("walk")});
  }

  // (settings and data in one object)
  explicit TrainerObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TrainerObject>(info) {
    Answer(info.Env(), [&]() -> Napi::Value {
      if (!info[0].IsObject()) RefuseArgument("options are an object");
      const auto given = info[0].As<Napi::Object>();
      Data data{IntegersOf(given.Get("starts"), "starts"), IntegersOf(given.Get("rows"), "rows"), FloatsOf(given.Get("weights"), "weights"),
                IntegersOf(given.Get("strata"), "strata"), FloatsOf(given.Get("keep"), "keep"), WalksOf(given.Get("walks"))};
      trainer_ = std::make_shared<Trainer>(SettingsOf(given), std::move(data));
      return info.Env().Undefined();
    });
  }
  ~TrainerObject() override { stop_->store(true); }

 private:
  void NotWhileRunning() const {
    if (*running_) RefuseArgument("training is under way");
  }
  Napi::Value Kernel(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), trainer_->kernel()); }

  // -> whether all epochs are done
  Napi::Value Train(const Napi::CallbackInfo& info) {
    return Answer(info.Env(), [&]() -> Napi::Value {
      NotWhileRunning();
      stop_->store(false);
      running_->store(true);
      auto done = std::make_shared<bool>(false);
      return static_cast<EnvState*>(info.Data())->jobs->Run(
          info.Env(), stop_,
          [trainer = trainer_, stop = stop_, running = running_, done] {
            const Failure failure = Caught([&] { *done = trainer->Run(*stop); });
            running->store(false);
            if (failure.failed()) throw IndexError(failure.code == "OUT_OF_MEMORY" ? "OUT_OF_MEMORY" : "INTERNAL", failure.message);
          },
          [done](Napi::Env env) -> Napi::Value { return Napi::Boolean::New(env, *done); });
    });
  }
  Napi::Value Stop(const Napi::CallbackInfo& info) {
    stop_->store(true);
    return info.Env().Undefined();
  }

  Napi::Value GetProgress(const Napi::CallbackInfo& info) {
    const Progress progress = trainer_->progress();
    Napi::Object out = Napi::Object::New(info.Env());
    out.Set("epoch", progress.epoch);
    out.Set("user", progress.user);
    out.Set("pairs", static_cast<double>(progress.pairs));
    out.Set("loss", progress.loss);
    out.Set("lossPairs", static_cast<double>(progress.loss_pairs));
    out.Set("curveLoss", ToArray(info.Env(), progress.curve_loss));
    out.Set("curvePairs", ToArray(info.Env(), progress.curve_pairs));
    out.Set("cpuSeconds", progress.cpu_seconds);
    return out;
  }

  Napi::Value Read(const Napi::CallbackInfo& info) {
    return Answer(info.Env(), [&]() -> Napi::Value {
      NotWhileRunning();
      const Tables tables = trainer_->Read();
      Napi::Object out = Napi::Object::New(info.Env());
      out.Set("input", ToArray(info.Env(), tables.input));
      out.Set("output", ToArray(info.Env(), tables.output));
      out.Set("inputSquares", ToArray(info.Env(), tables.input_squares));
      out.Set("outputSquares", ToArray(info.Env(), tables.output_squares));
      return out;
    });
  }

  // (tables, progress)
  Napi::Value Write(const Napi::CallbackInfo& info) {
    return Answer(info.Env(), [&]() -> Napi::Value {
      NotWhileRunning();
      if (!info[0].IsObject() || !info[1].IsObject()) RefuseArgument("tables and progress are objects");
      const auto tables = info[0].As<Napi::Object>(), given = info[1].As<Napi::Object>();
      Progress progress;
      progress.epoch = IntegerOf(given.Get("epoch"), "epoch", 0, UINT32_MAX);
      progress.user = IntegerOf(given.Get("user"), "user", 0, UINT32_MAX);
      progress.pairs = static_cast<uint64_t>(NumberOf(given.Get("pairs"), "pairs", 0, 9e15));
      progress.loss = NumberOf(given.Get("loss"), "loss", 0, 1e300);
      progress.loss_pairs = static_cast<uint64_t>(NumberOf(given.Get("lossPairs"), "lossPairs", 0, 9e15));
      progress.curve_loss = CurveOf(given.Get("curveLoss"), "curveLoss");
      progress.curve_pairs = CurveOf(given.Get("curvePairs"), "curvePairs");
      progress.cpu_seconds = NumberOf(given.Get("cpuSeconds"), "cpuSeconds", 0, 1e300);
      trainer_->Write({FloatsOf(tables.Get("input"), "input"), FloatsOf(tables.Get("output"), "output"), FloatsOf(tables.Get("inputSquares"), "inputSquares"),
                       FloatsOf(tables.Get("outputSquares"), "outputSquares")},
                      progress);
      return info.Env().Undefined();
    });
  }

  // (own, negatives, rate)
  Napi::Value Step(const Napi::CallbackInfo& info) {
    return Answer(info.Env(), [&]() -> Napi::Value {
      NotWhileRunning();
      trainer_->Step(IntegersOf(info[0], "own"), IntegersOf(info[1], "negatives"), static_cast<float>(NumberOf(info[2], "rate", 0, 10)));
      return info.Env().Undefined();
    });
  }

  // (epoch, walker) -> nodes
  Napi::Value Walk(const Napi::CallbackInfo& info) {
    return Answer(info.Env(), [&]() -> Napi::Value {
      const auto nodes = trainer_->WalkOf(IntegerOf(info[0], "epoch", 0, UINT32_MAX), IntegerOf(info[1], "walker", 0, UINT32_MAX));
      auto array = Napi::Uint32Array::New(info.Env(), nodes.size());
      std::copy(nodes.begin(), nodes.end(), array.Data());
      return array;
    });
  }

  std::shared_ptr<Trainer> trainer_;
  std::shared_ptr<std::atomic<bool>> stop_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<std::atomic<bool>> running_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace

}  // namespace kindred::skip_gram

void InitSkipGram(Napi::Env env, Napi::Object exports) {
  using namespace kindred::skip_gram;
  auto* state = new EnvState();
  // As for the vector index: references of a dead environment must not be touched, only the jobs are ended.
  napi_add_env_cleanup_hook(
      env, [](void* data) { static_cast<EnvState*>(data)->jobs.reset(); }, state);
  exports.Set("SkipGramTrainer", TrainerObject::Define(env, state));
}
