#include "read_model_arguments.h"

#include <cmath>
#include <cstring>

namespace kindred::read_model {

namespace {

// False at half a surrogate pair: it has no UTF-8 form.
bool AppendUtf8(const char16_t* units, size_t count, std::string* out) {
  for (size_t i = 0; i < count; i++) {
    uint32_t point = units[i];
    if (point >= 0xD800 && point < 0xE000) {
      if (point >= 0xDC00 || i + 1 == count || units[i + 1] < 0xDC00 || units[i + 1] >= 0xE000) return false;
      point = 0x10000 + ((point - 0xD800) << 10) + (units[++i] - 0xDC00u);
    }
    if (point < 0x80) {
      out->push_back(static_cast<char>(point));
      continue;
    }
    if (point >= 0x10000) out->push_back(static_cast<char>(0xF0 | point >> 18));
    if (point >= 0x800) out->push_back(static_cast<char>((point >= 0x10000 ? 0x80 : 0xE0) | (point >> 12 & (point >= 0x10000 ? 0x3F : 0x0F))));
    out->push_back(static_cast<char>((point >= 0x800 ? 0x80 : 0xC0) | (point >> 6 & (point >= 0x800 ? 0x3F : 0x1F))));
    out->push_back(static_cast<char>(0x80 | (point & 0x3F)));
  }
  return true;
}

template <typename T>
std::vector<T> Copy(const Napi::Value& value, napi_typedarray_type type, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) RefuseArgument(std::string(name) + " is not a typed array of the right kind");
  const auto array = value.As<Napi::TypedArrayOf<T>>();
  return std::vector<T>(array.Data(), array.Data() + array.ElementLength());
}

}  // namespace

Napi::Error ToJavaScript(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

double Integer(const Napi::Value& value, double lowest, double highest, const char* name) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= lowest && number <= highest) || number != std::floor(number)) RefuseArgument(std::string(name) + " must be an integer in its range");
  return number;
}

double Finite(const Napi::Value& value, const char* name) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!std::isfinite(number)) RefuseArgument(std::string(name) + " must be a finite number");
  return number;
}

std::vector<uint32_t> Uint32s(const Napi::Value& value, const char* name) { return Copy<uint32_t>(value, napi_uint32_array, name); }
std::vector<float> Float32s(const Napi::Value& value, const char* name) { return Copy<float>(value, napi_float32_array, name); }
std::vector<double> Float64s(const Napi::Value& value, const char* name) { return Copy<double>(value, napi_float64_array, name); }

bool ReadId(const Napi::Value& value, std::string* id) {
  // One place more than an id may have, and one for the end: a longer text fills them.
  char16_t units[kMaxIdUnits + 2];
  size_t count = 0;
  if (napi_get_value_string_utf16(value.Env(), value, units, kMaxIdUnits + 2, &count) != napi_ok) return false;
  id->clear();
  return count >= 1 && count <= kMaxIdUnits && AppendUtf8(units, count, id);
}

std::vector<std::string> Texts(const Napi::Value& joined, const Napi::Value& lengths, size_t shortest, size_t longest, const char* name) {
  const std::vector<uint32_t> sizes = Uint32s(lengths, name);
  if (!joined.IsString()) RefuseArgument(std::string(name) + " must be text");
  const std::u16string units = joined.As<Napi::String>().Utf16Value();
  std::vector<std::string> texts(sizes.size());
  size_t at = 0;
  for (size_t i = 0; i < sizes.size(); i++) {
    if (sizes[i] < shortest || sizes[i] > longest) RefuseArgument(std::string(name) + " must be of " + std::to_string(shortest) + " to " + std::to_string(longest) + " characters");
    if (sizes[i] > units.size() - at) RefuseArgument(std::string(name) + " are shorter than their lengths say");
    texts[i].reserve(sizes[i]);
    if (!AppendUtf8(units.data() + at, sizes[i], &texts[i])) RefuseArgument(std::string(name) + " must be well-formed text");
    at += sizes[i];
  }
  if (at != units.size()) RefuseArgument(std::string(name) + " are longer than their lengths say");
  return texts;
}

Napi::Uint32Array ToUint32Array(Napi::Env env, const std::vector<uint32_t>& values) {
  Napi::Uint32Array array = Napi::Uint32Array::New(env, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(uint32_t));
  return array;
}

Napi::Float32Array ToFloat32Array(Napi::Env env, const std::vector<float>& values) {
  Napi::Float32Array array = Napi::Float32Array::New(env, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(float));
  return array;
}

}  // namespace kindred::read_model
