// The three matrix products of a step of skip-gram and the sigmoid between them, chosen once for the processor this runs on.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kindred::skip_gram {

// Rows are padded with zeros to whole steps of this many floats.
constexpr uint32_t kStep = 16;
inline uint32_t Padded(uint32_t dims) { return (dims + kStep - 1) / kStep * kStep; }

struct Math {
  // out[i * many + j] = left[i] . right[j], for `few` rows of left and `many` of right.
  void (*dots)(const float* left, uint32_t few, const float* right, uint32_t many, uint32_t dims, float* out);
  // out[i] = sum over j of factors[i * i_step + j * j_step] * rows[j].
  void (*combine)(const float* factors, size_t i_step, size_t j_step, uint32_t outs, const float* rows, uint32_t count, uint32_t dims, float* out);
  // In place: x becomes 1 / (1 + e^-x), to about 1e-6.
  void (*sigmoids)(float* values, size_t count);
  // Sum of squares of one row, and row += rate * change.
  float (*square)(const float* row, uint32_t dims);
  void (*add)(float* row, const float* change, float rate, uint32_t dims);
  const char* name;
};

// The fastest that the processor has, or the portable one where `plain`.
const Math& MathFor(bool plain);

}  // namespace kindred::skip_gram
