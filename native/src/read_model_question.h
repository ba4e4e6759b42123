// What the read model's binding stands on: the open models by handle, and questions answered on libuv's threads.
#pragma once
#include <napi.h>

#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "read_model.h"
#include "read_model_arguments.h"

namespace kindred::read_model {

// The open read models of the process, by handle. A model goes when nobody has it open any more.
class Registry {
 public:
  uint32_t Add(const std::shared_ptr<ReadModel>& model) {
    const std::lock_guard<std::mutex> lock(mutex_);
    models_[++last_] = model;
    return last_;
  }
  std::shared_ptr<ReadModel> Find(uint32_t handle) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = models_.find(handle);
    std::shared_ptr<ReadModel> model = found == models_.end() ? nullptr : found->second.lock();
    if (model == nullptr) RefuseArgument("no read model with this handle is open");
    return model;
  }
  void Sweep() {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto it = models_.begin(); it != models_.end();) it = it->second.expired() ? models_.erase(it) : std::next(it);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<uint32_t, std::weak_ptr<ReadModel>> models_;
  uint32_t last_ = 0;
};

inline Registry& registry() {
  static Registry registry;
  return registry;
}

// A question that takes longer, answered by a promise. `run` works on a thread of the pool and touches no JavaScript.
template <typename Answer>
class Question : public Napi::AsyncWorker {
 public:
  using Run = std::function<Answer(ReadModel&)>;
  using Wrap = std::function<Napi::Value(Napi::Env, Answer&)>;

  static Napi::Value Ask(Napi::Env env, std::shared_ptr<ReadModel> model, Run run, Wrap wrap) {
    auto* question = new Question(env, std::move(model), std::move(run), std::move(wrap));
    Napi::Promise promise = question->deferred_.Promise();
    question->Queue();
    return promise;
  }

 protected:
  void Execute() override {
    try {
      answer_ = run_(*model_);
    } catch (const IndexError& error) {
      code_ = error.code();
      SetError(error.what());
    } catch (const std::exception& error) {
      SetError(error.what());
    }
  }
  void OnOK() override {
    Napi::HandleScope scope(Env());
    try {
      deferred_.Resolve(wrap_(Env(), answer_));
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    } catch (const std::exception& error) {
      deferred_.Reject(ToJavaScript(Env(), "INTERNAL", error.what()).Value());
    }
  }
  void OnError(const Napi::Error& error) override { deferred_.Reject(ToJavaScript(Env(), code_, error.Message()).Value()); }

 private:
  Question(Napi::Env env, std::shared_ptr<ReadModel> model, Run run, Wrap wrap)
      : Napi::AsyncWorker(env, "kindred:read-model"), deferred_(env), model_(std::move(model)), run_(std::move(run)), wrap_(std::move(wrap)) {}

  Napi::Promise::Deferred deferred_;
  std::shared_ptr<ReadModel> model_;
  Run run_;
  Wrap wrap_;
  Answer answer_{};
  const char* code_ = "INTERNAL";
};

}  // namespace kindred::read_model
