// Long work on a thread of its own, at low priority unless said otherwise, with a promise for its end. For what must not take a place in
// libuv's pool, where searches run.
#pragma once
#include <napi.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace kindred {

// An error on its way to JavaScript: `code` is one of schemas/errors.ts.
struct Failure {
  std::string code, message;
  bool failed() const { return !code.empty(); }
  Napi::Error ToError(Napi::Env env) const;
};
// Runs `work`; whatever it throws comes back as a failure. No exception passes.
Failure Caught(const std::function<void()>& work) noexcept;

// Normal for what is short or waited for, and holds the writer's lock: a thread of low priority that holds it may get no
// core for a long time on a busy machine, and the writer with it.
enum class Priority : uint8_t { kLow, kNormal };

// The jobs of one environment (main thread or worker). When it ends they are cancelled and waited for.
class BackgroundJobs {
 public:
  BackgroundJobs() = default;
  ~BackgroundJobs();

  // `work` runs on the new thread, `result` then on the environment's. `cancelled` is set from outside, or when the
  // environment ends; work looks at it now and then.
  Napi::Promise Run(Napi::Env env, std::shared_ptr<std::atomic<bool>> cancelled, std::function<void()> work, std::function<Napi::Value(Napi::Env)> result,
                    Priority priority = Priority::kLow);

 private:
  struct Job;
  std::set<Job*> jobs_;
};

}  // namespace kindred
