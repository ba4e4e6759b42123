// Long work on a thread of its own at low priority, with a promise for its end. For what must not take a place in
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

// The jobs of one environment (main thread or worker). When it ends they are cancelled and waited for.
class BackgroundJobs {
 public:
  BackgroundJobs() = default;
  ~BackgroundJobs();

  // `work` runs on the new thread, `result` then on the environment's. `cancelled` is set from outside, or when the
  // environment ends; work looks at it now and then.
  Napi::Promise Run(Napi::Env env, std::shared_ptr<std::atomic<bool>> cancelled, std::function<void()> work, std::function<Napi::Value(Napi::Env)> result);

 private:
  struct Job;
  std::set<Job*> jobs_;
};

}  // namespace kindred
