// Rows, ids and side information of the read model in JavaScript: answered at once.
#include "read_model_binding.h"

#include <algorithm>
#include <cstdio>

namespace kindred::read_model {

namespace {

Napi::Value ToString(Napi::Env env, std::string_view text) {
  // Most ids are ASCII, which V8 takes as it is; UTF-8 it has to decode.
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) >= 0; });
  napi_value made = nullptr;
  const napi_status status =
      ascii ? napi_create_string_latin1(env, text.data(), text.size(), &made) : napi_create_string_utf8(env, text.data(), text.size(), &made);
  if (status != napi_ok) throw Napi::Error::New(env);
  return {env, made};
}

Napi::Value Fingerprint(Napi::Env env, const RowNumbers& numbers) {
  if (numbers.has_fingerprint == 0) return env.Null();
  char digits[17];
  std::snprintf(digits, sizeof(digits), "%016llx", static_cast<unsigned long long>(numbers.fingerprint));
  return Napi::String::New(env, digits, 16);
}

Napi::Value Info(Napi::Env env, const Text* info) { return info == nullptr ? env.Null() : ToString(env, info->view()); }

}  // namespace

Napi::Value ReadModelWrap::User(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    ReadModel& model = this->model();
    const EpochGuard guard(model.epochs());
    std::string id;
    const uint32_t ordinal = ReadId(info[0], &id) ? model.users().Find(id) : kNoOrdinal;
    const UserRow* row = ordinal == kNoOrdinal ? nullptr : model.row(ordinal);
    if (row == nullptr) return env.Undefined();
    Napi::Array items = Napi::Array::New(env, row->count);
    for (uint32_t i = 0; i < row->count; i++) items[i] = ToString(env, model.items().Id(row->items()[i]));
    Napi::Object result = Napi::Object::New(env);
    result.Set("ordinal", Napi::Number::New(env, ordinal));
    result.Set("fingerprint", Fingerprint(env, row->numbers));
    result.Set("events", Napi::Number::New(env, row->numbers.events));
    result.Set("updatedAt", Napi::Number::New(env, row->numbers.updated_at));
    result.Set("partition", Napi::Number::New(env, row->numbers.partition));
    result.Set("offset", Napi::Number::New(env, row->numbers.offset));
    result.Set("items", items);
    result.Set("weights", ToFloat32Array(env, std::vector<float>(row->weights(), row->weights() + row->count)));
    return result;
  });
}

Napi::Value ReadModelWrap::FindId(const Napi::CallbackInfo& info, const IdTable& table) {
  const EpochGuard guard(model().epochs());
  std::string id;
  const uint32_t ordinal = ReadId(info[0], &id) ? table.Find(id) : kNoOrdinal;
  return ordinal == kNoOrdinal ? info.Env().Undefined() : Napi::Number::New(info.Env(), ordinal).As<Napi::Value>();
}
Napi::Value ReadModelWrap::UserOrdinal(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] { return FindId(info, model().users()); });
}
Napi::Value ReadModelWrap::ItemOrdinal(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] { return FindId(info, model().items()); });
}

Napi::Value ReadModelWrap::Profile(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    ReadModel& model = this->model();
    const uint32_t user = Ordinal(info[0]);
    const EpochGuard guard(model.epochs());
    model.CheckUsers(&user, 1);
    const UserRow* row = model.row(user);
    if (row == nullptr) return info.Env().Undefined();
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("items", ToUint32Array(info.Env(), std::vector<uint32_t>(row->items(), row->items() + row->count)));
    result.Set("weights", ToFloat32Array(info.Env(), std::vector<float>(row->weights(), row->weights() + row->count)));
    return result;
  });
}

Napi::Value ReadModelWrap::Ids(const Napi::CallbackInfo& info, const IdTable& table, const std::vector<uint32_t>& ordinals) {
  Napi::Array ids = Napi::Array::New(info.Env(), ordinals.size());
  for (uint32_t i = 0; i < ordinals.size(); i++) ids[i] = ToString(info.Env(), table.Id(ordinals[i]));
  return ids;
}
Napi::Value ReadModelWrap::UserIds(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const std::vector<uint32_t> ordinals = Uint32s(info[0], "ordinals");
    const EpochGuard guard(model().epochs());
    model().CheckUsers(ordinals.data(), ordinals.size());
    return Ids(info, model().users(), ordinals);
  });
}
Napi::Value ReadModelWrap::ItemIds(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const std::vector<uint32_t> ordinals = Uint32s(info[0], "ordinals");
    const EpochGuard guard(model().epochs());
    model().CheckItems(ordinals.data(), ordinals.size());
    return Ids(info, model().items(), ordinals);
  });
}

Napi::Value ReadModelWrap::Item(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    ReadModel& model = this->model();
    const EpochGuard guard(model.epochs());
    std::string id;
    const uint32_t ordinal = ReadId(info[0], &id) ? model.items().Find(id) : kNoOrdinal;
    if (ordinal == kNoOrdinal) return info.Env().Undefined();
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("ordinal", Napi::Number::New(info.Env(), ordinal));
    result.Set("item", info[0]);
    result.Set("users", Napi::Number::New(info.Env(), model.listeners(ordinal)));
    result.Set("infoJson", Info(info.Env(), model.info(ordinal)));
    return result;
  });
}

Napi::Value ReadModelWrap::ItemInfoJson(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const std::vector<uint32_t> ordinals = Uint32s(info[0], "ordinals");
    const EpochGuard guard(model().epochs());
    model().CheckItems(ordinals.data(), ordinals.size());
    Napi::Array all = Napi::Array::New(info.Env(), ordinals.size());
    for (uint32_t i = 0; i < ordinals.size(); i++) all[i] = Info(info.Env(), model().info(ordinals[i]));
    return all.As<Napi::Value>();
  });
}

// Event time, then partition and offset of each.
Napi::Value ReadModelWrap::GetApplied(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const EpochGuard guard(model().epochs());
    const Applied* applied = model().applied();
    Napi::Float64Array result = Napi::Float64Array::New(info.Env(), 1 + size_t{applied->count} * 2);
    result[0] = applied->event_time;
    for (uint32_t i = 0; i < applied->count; i++) {
      result[1 + i * 2] = applied->parts[i].partition;
      result[2 + i * 2] = applied->parts[i].offset;
    }
    return result.As<Napi::Value>();
  });
}

}  // namespace kindred::read_model
