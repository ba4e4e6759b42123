// Module init: each part of the addon adds its own bindings. A part whose binding is not there is left out.
#include <napi.h>

void InitVectorIndex(Napi::Env env, Napi::Object exports);
void InitReadModel(Napi::Env env, Napi::Object exports);
void InitCipher(Napi::Env env, Napi::Object exports);
void InitSkipGram(Napi::Env env, Napi::Object exports);
void InitInteractionGraph(Napi::Env env, Napi::Object exports);

static Napi::Object InitAddon(Napi::Env env, Napi::Object exports) {
#if __has_include("vector_index_binding.cc")
  InitVectorIndex(env, exports);
#endif
#if __has_include("read_model_binding.cc")
  InitReadModel(env, exports);
#endif
#if __has_include("cipher_binding.cc")
  InitCipher(env, exports);
#endif
#if __has_include("skip_gram_binding.cc")
  InitSkipGram(env, exports);
#endif
#if __has_include("interaction_graph_binding.cc")
  InitInteractionGraph(env, exports);
#endif
  return exports;
}

NODE_API_MODULE(kindred, InitAddon)
