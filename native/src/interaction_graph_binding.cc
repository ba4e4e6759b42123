// The training over the interaction graph at the border to JavaScript: a trainer is an object; training runs on threads of its own.
#include <napi.h>

#include <array>
#include <memory>
#include <string>

#include "interaction_graph_spectrum.h"
#include "interaction_graph_trainer.h"
#include "vector_index_arguments.h"

namespace kindred::interaction_graph {

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

float FloatOf(const Napi::Object& given, const char* name, double least, double most) { return static_cast<float>(NumberOf(given.Get(name), name, least, most)); }

Settings SettingsOf(const Napi::Object& given) {
  Settings settings;
  settings.dims = IntegerOf(given.Get("dims"), "dims", 1, 1024);
  settings.epochs = IntegerOf(given.Get("epochs"), "epochs", 0, 100000);
  settings.threads = IntegerOf(given.Get("threads"), "threads", 1, 64);
  settings.seed = IntegerOf(given.Get("seed"), "seed", 0, UINT32_MAX);
  settings.passes = IntegerOf(given.Get("passes"), "passes", 1, 1000);
  settings.negatives = IntegerOf(given.Get("negatives"), "negatives", 1, 65536);
  settings.negative_weight = FloatOf(given, "negativeWeight", 0, 1e6);
  settings.least_kept = FloatOf(given, "leastKept", 0, 1);
  settings.most_kept = FloatOf(given, "mostKept", settings.least_kept, 1);
  settings.few_share = FloatOf(given, "fewShare", 0, 1);
  settings.few = IntegerOf(given.Get("few"), "few", 1, 65536);
  settings.positives = IntegerOf(given.Get("positives"), "positives", 1, 65536);
  settings.user_exponent = FloatOf(given, "userExponent", 0, 1);
  settings.rate = FloatOf(given, "rate", 0, 10);
  settings.memory = FloatOf(given, "memory", 0, 1);
  settings.smoothing = FloatOf(given, "smoothing", 0, 1);
  settings.smoothing_user = FloatOf(given, "smoothingUser", 0, 4);
  settings.smoothing_item = FloatOf(given, "smoothingItem", 0, 4);
  settings.input_smoothing = FloatOf(given, "inputSmoothing", 0, 1e6);
  settings.input_smoothing_each = FloatOf(given, "inputSmoothingEach", 0, 1);
  settings.plain = given.Get("plain").ToBoolean();
  return settings;
}

Graph GraphOf(const Napi::Object& given) {
  const Napi::Value weights = given.Get("weights");
  return Graph(IntegerOf(given.Get("items"), "items", 1, UINT32_MAX), IntegersOf(given.Get("starts"), "starts"), IntegersOf(given.Get("rows"), "rows"),
               weights.IsUndefined() ? std::vector<float>() : FloatsOf(weights, "weights"));
}

std::vector<Example> ExamplesOf(const Napi::Value& value) {
  if (!value.IsArray()) RefuseArgument("examples are an array");
  const auto array = value.As<Napi::Array>();
  std::vector<Example> examples;
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value each = array.Get(i);
    if (!each.IsObject()) RefuseArgument("an example is an object");
    const auto given = each.As<Napi::Object>();
    Example example;
    example.user = IntegerOf(given.Get("user"), "user", 0, UINT32_MAX);
    const auto kept = IntegersOf(given.Get("kept"), "kept");
    const auto weights = FloatsOf(given.Get("weights"), "weights");
    if (weights.size() != kept.size()) RefuseArgument("weights are as many as what is kept");
    for (size_t at = 0; at < kept.size(); at++) example.kept.push_back({kept[at], weights[at]});
    example.hidden = IntegersOf(given.Get("hidden"), "hidden");
    examples.push_back(std::move(example));
  }
  return examples;
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

struct EnvState {
  std::unique_ptr<BackgroundJobs> jobs = std::make_unique<BackgroundJobs>();
};

class TrainerObject : public Napi::ObjectWrap<TrainerObject> {
 public:
  static Napi::Function Define(Napi::Env env, EnvState* state) {
    return DefineClass(env, "InteractionGraphTrainer",
                       {InstanceAccessor<&TrainerObject::Kernel>("kernel"), InstanceMethod<&TrainerObject::Train>("train", napi_default, state),
                        InstanceMethod<&TrainerObject::Stop>("stop"), InstanceMethod<&TrainerObject::GetProgress>("progress"),
                        InstanceMethod<&TrainerObject::Read>("read"), InstanceMethod<&TrainerObject::Write>("write"),
                        InstanceMethod<&TrainerObject::Step>("step"), InstanceMethod<&TrainerObject::Smooth>("smooth"),
                        InstanceMethod<&TrainerObject::SmoothInputs>("smoothInputs")});
  }

  // (settings and data in one object)
  explicit TrainerObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TrainerObject>(info) {
    Answer(info.Env(), [&]() -> Napi::Value {
      if (!info[0].IsObject()) RefuseArgument("options are an object");
      const auto given = info[0].As<Napi::Object>();
      trainer_ = std::make_shared<Trainer>(SettingsOf(given), GraphOf(given));
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
    out.Set("lossPairs", static_cast<double>(progress.pairs));
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
      progress.curve_loss = CurveOf(given.Get("curveLoss"), "curveLoss");
      progress.curve_pairs = CurveOf(given.Get("curvePairs"), "curvePairs");
      progress.cpu_seconds = NumberOf(given.Get("cpuSeconds"), "cpuSeconds", 0, 1e300);
      trainer_->Write({FloatsOf(tables.Get("input"), "input"), FloatsOf(tables.Get("output"), "output"), FloatsOf(tables.Get("inputSquares"), "inputSquares"),
                       FloatsOf(tables.Get("outputSquares"), "outputSquares")},
                      progress);
      return info.Env().Undefined();
    });
  }

  // (examples, negatives, rate)
  Napi::Value Step(const Napi::CallbackInfo& info) {
    return Answer(info.Env(), [&]() -> Napi::Value {
      NotWhileRunning();
      trainer_->Step(ExamplesOf(info[0]), IntegersOf(info[1], "negatives"), static_cast<float>(NumberOf(info[2], "rate", 0, 10)));
      return info.Env().Undefined();
    });
  }
  Napi::Value Smooth(const Napi::CallbackInfo& info) {
    return Answer(info.Env(), [&]() -> Napi::Value {
      NotWhileRunning();
      trainer_->Smooth();
      return info.Env().Undefined();
    });
  }

  Napi::Value SmoothInputs(const Napi::CallbackInfo& info) {
    return Answer(info.Env(), [&]() -> Napi::Value {
      NotWhileRunning();
      trainer_->SmoothInputs();
      return info.Env().Undefined();
    });
  }

  std::shared_ptr<Trainer> trainer_;
  std::shared_ptr<std::atomic<bool>> stop_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<std::atomic<bool>> running_ = std::make_shared<std::atomic<bool>>(false);
};

// (data, rank, passes, seed, plain in one object) -> { values, vectors }, at once: for tests
Napi::Value SpectrumOfGraph(const Napi::CallbackInfo& info) {
  return Answer(info.Env(), [&]() -> Napi::Value {
    if (!info[0].IsObject()) RefuseArgument("options are an object");
    const auto given = info[0].As<Napi::Object>();
    SpectrumSettings settings;
    settings.rank = IntegerOf(given.Get("rank"), "rank", 1, 1024);
    settings.passes = IntegerOf(given.Get("passes"), "passes", 1, 1000);
    settings.seed = IntegerOf(given.Get("seed"), "seed", 0, UINT32_MAX);
    Spectrum spectrum;
    const std::atomic<bool> never{false};
    SpectrumOf(GraphOf(given), skip_gram::MathFor(given.Get("plain").ToBoolean()), settings, never, [](uint32_t) {}, spectrum);
    std::vector<float> vectors;
    for (size_t row = 0; row < spectrum.vectors.rows(); row++)
      vectors.insert(vectors.end(), spectrum.vectors.row(row), spectrum.vectors.row(row) + settings.rank);
    Napi::Object out = Napi::Object::New(info.Env());
    out.Set("values", ToArray(info.Env(), spectrum.values));
    out.Set("vectors", ToArray(info.Env(), vectors));
    return out;
  });
}

}  // namespace

}  // namespace kindred::interaction_graph

void InitInteractionGraph(Napi::Env env, Napi::Object exports) {
  using namespace kindred::interaction_graph;
  auto* state = new EnvState();
  // As for the vector index: references of a dead environment must not be touched, only the jobs are ended.
  napi_add_env_cleanup_hook(
      env, [](void* data) { static_cast<EnvState*>(data)->jobs.reset(); }, state);
  exports.Set("InteractionGraphTrainer", TrainerObject::Define(env, state));
  exports.Set("interactionGraphSpectrum", Napi::Function::New(env, SpectrumOfGraph));
}
