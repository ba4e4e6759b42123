#include "background_job.h"

#include <sys/resource.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

#include <new>

#include "coded_error.h"

namespace kindred {

namespace {

// On Linux a nice value belongs to a thread.
void LowerPriority() {
#if defined(__linux__)
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), 10);
#elif defined(__APPLE__)
  pthread_set_qos_class_self_np(QOS_CLASS_UTILITY, 0);
#endif
}

}  // namespace

Napi::Error Failure::ToError(Napi::Env env) const {
  Napi::Error error = Napi::Error::New(env, message);
  error.Value().Set("code", Napi::String::New(env, code));
  return error;
}

Failure Caught(const std::function<void()>& work) noexcept {
  try {
    try {
      work();
      return {};
    } catch (const IndexError& error) {
      return {error.code(), error.what()};
    } catch (const std::bad_alloc&) {
      return {"OUT_OF_MEMORY", "there is not enough memory"};
    } catch (const std::exception& error) {
      return {"INTERNAL", error.what()};
    } catch (...) {
      return {"INTERNAL", "an unknown native error"};
    }
  } catch (...) {
    return {"INTERNAL", ""};  // short enough to need no allocation
  }
}

struct BackgroundJobs::Job {
  Job(Napi::Env env, std::shared_ptr<std::atomic<bool>> cancel) : deferred(Napi::Promise::Deferred::New(env)), cancelled(std::move(cancel)) {}
  Napi::Promise::Deferred deferred;
  Napi::ThreadSafeFunction done;
  std::shared_ptr<std::atomic<bool>> cancelled;
  std::function<void()> work;
  std::function<Napi::Value(Napi::Env)> result;
  Failure failure;
  std::thread thread;
};

BackgroundJobs::~BackgroundJobs() {
  for (Job* job : jobs_) job->cancelled->store(true);
  for (Job* job : jobs_) {
    job->thread.join();
    delete job;
  }
}

Napi::Promise BackgroundJobs::Run(Napi::Env env, std::shared_ptr<std::atomic<bool>> cancelled, std::function<void()> work,
                                  std::function<Napi::Value(Napi::Env)> result, Priority priority) {
  auto job = std::make_unique<Job>(env, std::move(cancelled));
  Napi::Promise promise = job->deferred.Promise();
  job->work = std::move(work);
  job->result = std::move(result);
  job->done = Napi::ThreadSafeFunction::New(env, Napi::Function(), "kindred background job", 0, 1);
  Job* raw = job.get();
  jobs_.insert(raw);
  try {
    raw->thread = std::thread([this, raw, priority] {
      if (priority == Priority::kLow) LowerPriority();
      raw->failure = Caught(raw->work);
      Napi::ThreadSafeFunction done = raw->done;
      // Refused when the environment is ending: then the destructor above cleans up.
      done.BlockingCall(raw, [this](Napi::Env env, Napi::Function, Job* finished) {
        if (static_cast<napi_env>(env) == nullptr) return;
        std::unique_ptr<Job> job(finished);
        jobs_.erase(finished);
        job->thread.join();
        if (!job->failure.failed()) {
          Napi::Value value = env.Undefined();
          job->failure = Caught([&] { value = job->result(env); });
          if (!job->failure.failed()) return job->deferred.Resolve(value);
        }
        job->deferred.Reject(job->failure.ToError(env).Value());
      });
      done.Release();
    });
  } catch (const std::exception& error) {
    jobs_.erase(raw);
    raw->done.Release();
    raw->deferred.Reject(Failure{"INTERNAL", error.what()}.ToError(env).Value());
    return promise;
  }
  job.release();
  return promise;
}

}  // namespace kindred
