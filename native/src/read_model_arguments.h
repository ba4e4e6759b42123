// Arguments of the read model's and the cipher's bindings, checked before they cross; errors with a code on the way back.
#pragma once
#include <napi.h>

#include <string>
#include <vector>

#include "coded_error.h"

namespace kindred::read_model {

// An id of 128 UTF-16 code units.
constexpr size_t kMaxIdUnits = 128;

Napi::Error ToJavaScript(Napi::Env env, const char* code, const std::string& message);

// Runs `body` so that nothing but a Napi::Error leaves it.
template <typename Body>
auto Guarded(Napi::Env env, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (const IndexError& error) {
    throw ToJavaScript(env, error.code(), error.what());
  } catch (const std::exception& error) {
    throw ToJavaScript(env, "INTERNAL", error.what());
  }
}

// @throws IndexError INVALID_ARGUMENT when it is not an integer of `lowest` to `highest`
double Integer(const Napi::Value& value, double lowest, double highest, const char* name);
double Finite(const Napi::Value& value, const char* name);
// Copies, as another thread may write what lies in shared memory.
std::vector<uint32_t> Uint32s(const Napi::Value& value, const char* name);
std::vector<float> Float32s(const Napi::Value& value, const char* name);
std::vector<double> Float64s(const Napi::Value& value, const char* name);
// Well-formed text of 1 to 128 UTF-16 code units, as UTF-8; false when it is not one.
bool ReadId(const Napi::Value& value, std::string* id);
// Many texts that cross as one: joined, with their lengths in UTF-16 code units, each of `shortest` to `longest`.
std::vector<std::string> Texts(const Napi::Value& joined, const Napi::Value& lengths, size_t shortest, size_t longest, const char* name);

Napi::Uint32Array ToUint32Array(Napi::Env env, const std::vector<uint32_t>& values);
Napi::Float32Array ToFloat32Array(Napi::Env env, const std::vector<float>& values);

}  // namespace kindred::read_model
