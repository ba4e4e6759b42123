// Searches from JavaScript, on libuv's pool.
#include "vector_index_objects.h"

namespace kindred::binding {

namespace {

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

bool CopyOrdinals(const Napi::Value& value, const char* name, std::vector<uint32_t>& into) {
  if (value.IsUndefined() || value.IsNull()) return false;
  const Napi::Uint32Array ordinals = OrdinalsOf(value, name);
  into.assign(ordinals.Data(), ordinals.Data() + ordinals.ElementLength());
  return true;
}

}  // namespace

Napi::Value IndexObject::Search(const Napi::CallbackInfo& info) {
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

}  // namespace kindred::binding
