// Arguments of the vector index's binding, checked before they cross; errors with a code on the way back.
#pragma once
#include <napi.h>

#include <cmath>
#include <string>

#include "background_job.h"
#include "coded_error.h"
#include "vector_index.h"

namespace kindred::binding {

inline double NumberOf(const Napi::Value& value, const char* name, double least, double most) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= least && number <= most)) RefuseArgument(std::string(name) + " is a number from " + std::to_string(least) + " to " + std::to_string(most));
  return number;
}
inline uint32_t IntegerOf(const Napi::Value& value, const char* name, uint32_t least, uint32_t most) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= least && number <= most) || number != std::floor(number))
    RefuseArgument(std::string(name) + " is an integer from " + std::to_string(least) + " to " + std::to_string(most));
  return static_cast<uint32_t>(number);
}
template <typename Array>
Array TypedArrayOf(const Napi::Value& value, const char* name, napi_typedarray_type type, const char* type_name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) RefuseArgument(std::string(name) + " is a " + type_name);
  return value.As<Array>();
}
inline Napi::Uint32Array OrdinalsOf(const Napi::Value& value, const char* name) {
  return TypedArrayOf<Napi::Uint32Array>(value, name, napi_uint32_array, "Uint32Array");
}
inline Napi::Float32Array FloatsOf(const Napi::Value& value, const char* name) {
  return TypedArrayOf<Napi::Float32Array>(value, name, napi_float32_array, "Float32Array");
}
inline void CheckQuery(const float* query, size_t count, Metric metric) {
  for (size_t i = 0; i < count; i++)
    if (!(std::fabs(query[i]) <= (metric == Metric::kCosine ? 3.4e38f : 1e15f))) RefuseArgument("a query holds a number that is not finite or too large");
}

// For calls that answer at once: whatever is thrown becomes a JavaScript error with a code.
template <typename Work>
Napi::Value Answer(Napi::Env env, Work work) {
  Napi::Value value = env.Undefined();
  Failure failure;
  try {
    failure = Caught([&] {
      try {
        value = work();
      } catch (const Napi::Error&) {
        throw;
      }
    });
  } catch (...) {
    failure = {"INTERNAL", ""};
  }
  if (failure.failed()) throw failure.ToError(env);
  return value;
}

}  // namespace kindred::binding
