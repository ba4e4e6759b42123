// Dot products of one query with rows of a table, chosen once for the processor this runs on.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kindred {

enum class Storage : uint8_t { kFloat32 = 0, kFloat16 = 1 };

// Rows begin on cache lines and are padded with zeros to whole ones; queries are padded to as many floats.
constexpr size_t kRowAlignment = 64;
inline size_t BytesOf(Storage storage) { return storage == Storage::kFloat32 ? 4 : 2; }
inline uint32_t PaddedDims(Storage storage, uint32_t dims) {
  const uint32_t step = static_cast<uint32_t>(kRowAlignment / BytesOf(storage));
  return (dims + step - 1) / step * step;
}

struct Kernels {
  // out[i] = query . rows[i]. `dims` is padded; no row is null.
  void (*scores)(const float* query, const void* const* rows, uint32_t count, uint32_t dims, float* out);
  // Rows to float32 and back, element by element; to float16 by rounding to nearest, ties to even.
  void (*load)(const void* row, uint32_t dims, float* out);
  void (*store)(const float* in, uint32_t dims, void* row);
  const char* name;
};

// The fastest that the processor has: "avx512", "avx2", "neon" or "plain".
const Kernels& KernelsFor(Storage storage);
// All that can run here, the fastest first, for tests. Returns how many.
size_t AvailableKernels(Storage storage, const Kernels** out, size_t most);

// IEEE 754 binary16, rounded to nearest even; above 65,504 becomes infinity.
uint16_t HalfOf(float value);
float FloatOf(uint16_t half);

}  // namespace kindred
