// Payload encryption: ChaCha20-Poly1305 (RFC 8439) of libsodium, many payloads in one crossing.
#include <napi.h>
#include <sodium.h>

#include <cmath>
#include <cstring>
#include <new>

#include "read_model_arguments.h"

namespace {

using kindred::RefuseArgument;
using kindred::read_model::Float64s;
using kindred::read_model::Guarded;
using kindred::read_model::Uint32s;

constexpr size_t kKey = crypto_aead_chacha20poly1305_ietf_KEYBYTES;
constexpr size_t kTag = crypto_aead_chacha20poly1305_ietf_ABYTES;
constexpr size_t kNonce = crypto_aead_chacha20poly1305_ietf_NPUBBYTES;
constexpr double kMaxSafe = 9007199254740991.0;
static_assert(kKey == 32 && kTag == 16 && kNonce == 12, "RFC 8439");

// Keys and payloads joined, payload lengths, and the numbers that nonces are made of.
struct Many {
  Napi::Uint8Array keys;
  std::vector<double> nonces;
  std::vector<uint32_t> lengths;
  Napi::Uint8Array bytes;

  explicit Many(const Napi::CallbackInfo& info) : nonces(Float64s(info[1], "nonces")), lengths(Uint32s(info[2], "lengths")) {
    keys = Bytes(info[0], "keys");
    bytes = Bytes(info[3], "payloads");
    if (lengths.size() != nonces.size() || keys.ByteLength() != nonces.size() * kKey) RefuseArgument("one key of 32 bytes, one nonce and one payload belong together");
    for (const double nonce : nonces)
      if (!(nonce >= 0 && nonce <= kMaxSafe) || nonce != std::floor(nonce)) RefuseArgument("a nonce is an integer from 0");
    size_t total = 0;
    for (const uint32_t length : lengths) total += length;
    if (total != bytes.ByteLength()) RefuseArgument("the payloads are not as long as their lengths say");
  }

  static Napi::Uint8Array Bytes(const Napi::Value& value, const char* name) {
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) RefuseArgument(std::string(name) + " must be bytes");
    return value.As<Napi::Uint8Array>();
  }
};

// 96 bits: four zero bytes, then the number, little-endian.
void MakeNonce(double number, unsigned char (&nonce)[kNonce]) {
  const auto value = static_cast<uint64_t>(number);
  std::memset(nonce, 0, 4);
  for (size_t i = 0; i < 8; i++) nonce[4 + i] = static_cast<unsigned char>(value >> (8 * i));
}

// The sealed payloads, joined: each 16 bytes longer than it was.
Napi::Value Seal(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    const Many many(info);
    Napi::Uint8Array sealed = Napi::Uint8Array::New(info.Env(), many.bytes.ByteLength() + many.lengths.size() * kTag);
    const unsigned char* from = many.bytes.Data();
    unsigned char* to = sealed.Data();
    unsigned char nonce[kNonce];
    for (size_t i = 0; i < many.lengths.size(); i++) {
      MakeNonce(many.nonces[i], nonce);
      crypto_aead_chacha20poly1305_ietf_encrypt(to, nullptr, from, many.lengths[i], nullptr, 0, nullptr, nonce, many.keys.Data() + i * kKey);
      from += many.lengths[i];
      to += many.lengths[i] + kTag;
    }
    return sealed;
  });
}

// The opened payloads, joined, after one byte each that says whether it could be opened.
Napi::Value Open(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    const Many many(info);
    const size_t count = many.lengths.size();
    size_t size = count;
    for (const uint32_t length : many.lengths) size += length < kTag ? 0 : length - kTag;
    Napi::Uint8Array opened = Napi::Uint8Array::New(info.Env(), size);
    const unsigned char* from = many.bytes.Data();
    unsigned char* to = opened.Data() + count;
    unsigned char nonce[kNonce];
    for (size_t i = 0; i < count; i++) {
      const size_t length = many.lengths[i];
      MakeNonce(many.nonces[i], nonce);
      const bool whole = length >= kTag && crypto_aead_chacha20poly1305_ietf_decrypt(to, nullptr, nullptr, from, length, nullptr, 0, nonce, many.keys.Data() + i * kKey) == 0;
      opened[i] = whole ? 1 : 0;
      from += length;
      to += length < kTag ? 0 : length - kTag;
    }
    return opened;
  });
}

Napi::Value NewKey(const Napi::CallbackInfo& info) {
  Napi::Uint8Array key = Napi::Uint8Array::New(info.Env(), kKey);
  randombytes_buf(key.Data(), kKey);
  return key;
}

}  // namespace

void InitCipher(Napi::Env env, Napi::Object exports) {
  if (sodium_init() < 0) throw kindred::read_model::ToJavaScript(env, "INTERNAL", "libsodium could not be initialised");
  Napi::Object cipher = Napi::Object::New(env);
  cipher.Set("seal", Napi::Function::New<Seal>(env, "seal"));
  cipher.Set("open", Napi::Function::New<Open>(env, "open"));
  cipher.Set("newKey", Napi::Function::New<NewKey>(env, "newKey"));
  exports.Set("cipher", cipher);
}
