// The read model in JavaScript: class ReadModel. Cheap questions are answered at once; the others on libuv's threads. Its
// methods are in files by subject: writing, rows and ids, recall, and here what concerns the whole.
#pragma once
#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "read_model.h"
#include "read_model_arguments.h"

namespace kindred::read_model {

constexpr double kMaxSafe = 9007199254740991.0;

inline uint32_t Ordinal(const Napi::Value& value) { return static_cast<uint32_t>(Integer(value, 0, UINT32_MAX, "an ordinal")); }

class ReadModelWrap : public Napi::ObjectWrap<ReadModelWrap> {
 public:
  static Napi::Function Define(Napi::Env env);
  // A handle attaches to an open model; limits make an empty one.
  explicit ReadModelWrap(const Napi::CallbackInfo& info);
  ~ReadModelWrap() override { Drop(); }

 private:
  void Drop();
  ReadModel& model() const {
    if (model_ == nullptr) RefuseArgument("the read model is closed");
    return *model_;
  }
  std::shared_ptr<ReadModel> shared() const {
    model();
    return model_;
  }

  // read_model_binding.cc
  Napi::Value Handle(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), handle_); }
  void Close(const Napi::CallbackInfo&) { Drop(); }
  Napi::Value ItemCount(const Napi::CallbackInfo& info);
  Napi::Value GetStats(const Napi::CallbackInfo& info);
  Napi::Value Save(const Napi::CallbackInfo& info);
  Napi::Value Load(const Napi::CallbackInfo& info);

  // read_model_write_binding.cc
  Napi::Value Apply(const Napi::CallbackInfo& info);
  void SetApplied(const Napi::CallbackInfo& info);
  void PutItemInfo(const Napi::CallbackInfo& info);

  // read_model_rows_binding.cc
  Napi::Value User(const Napi::CallbackInfo& info);
  Napi::Value FindId(const Napi::CallbackInfo& info, const IdTable& table);
  Napi::Value UserOrdinal(const Napi::CallbackInfo& info);
  Napi::Value ItemOrdinal(const Napi::CallbackInfo& info);
  Napi::Value Profile(const Napi::CallbackInfo& info);
  Napi::Value Ids(const Napi::CallbackInfo& info, const IdTable& table, const std::vector<uint32_t>& ordinals);
  Napi::Value UserIds(const Napi::CallbackInfo& info);
  Napi::Value ItemIds(const Napi::CallbackInfo& info);
  Napi::Value Item(const Napi::CallbackInfo& info);
  Napi::Value ItemInfoJson(const Napi::CallbackInfo& info);
  Napi::Value GetApplied(const Napi::CallbackInfo& info);

  // read_model_recall_binding.cc
  Napi::Value NearFingerprints(const Napi::CallbackInfo& info);
  Napi::Value FingerprintDistances(const Napi::CallbackInfo& info);
  Napi::Value ItemsOfNeighbors(const Napi::CallbackInfo& info);
  Napi::Value CoOccurring(const Napi::CallbackInfo& info);
  Napi::Value PopularItems(const Napi::CallbackInfo& info);
  Napi::Value RecentUsers(const Napi::CallbackInfo& info);
  Napi::Value ListenersOf(const Napi::CallbackInfo& info);

  std::shared_ptr<ReadModel> model_;
  uint32_t handle_ = 0;
};

}  // namespace kindred::read_model
