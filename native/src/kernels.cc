#include "kernels.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace kindred {

uint16_t HalfOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  bits &= 0x7fffffff;
  if (bits >= 0x47800000) return sign | (bits > 0x7f800000 ? 0x7e00 : 0x7c00);  // 65,536 and above, infinity, NaN
  if (bits < 0x38800000) {                                                      // below 2^-14: subnormal, by one addition that rounds
    float magnitude;
    std::memcpy(&magnitude, &bits, 4);
    magnitude += 0.5f;
    std::memcpy(&bits, &magnitude, 4);
    return sign | static_cast<uint16_t>(bits - 0x3f000000);
  }
  bits += 0xc8000fff + ((bits >> 13) & 1);
  return sign | static_cast<uint16_t>(bits >> 13);
}

float FloatOf(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t rest = half & 0x7fff;
  uint32_t bits;
  if (rest >= 0x7c00) {
    bits = 0x7f800000 | ((rest & 0x3ff) << 13);
  } else if (rest >= 0x0400) {
    bits = (rest << 13) + 0x38000000;
  } else {
    const float magnitude = static_cast<float>(rest) * 5.9604644775390625e-8f;  // 2^-24
    std::memcpy(&bits, &magnitude, 4);
  }
  bits |= sign;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

namespace {

// ---- plain: four sums, so that the compiler may use what the base instruction set has ----

void ScoresPlain32(const float* query, const void* const* rows, uint32_t count, uint32_t dims, float* out) {
  for (uint32_t r = 0; r < count; r++) {
    const float* row = static_cast<const float*>(rows[r]);
    float sum[4] = {0, 0, 0, 0};
    for (uint32_t i = 0; i < dims; i += 4)
      for (uint32_t j = 0; j < 4; j++) sum[j] += query[i + j] * row[i + j];
    out[r] = (sum[0] + sum[2]) + (sum[1] + sum[3]);
  }
}
void LoadPlain32(const void* row, uint32_t dims, float* out) { std::memcpy(out, row, dims * 4ul); }
void StorePlain32(const float* in, uint32_t dims, void* row) { std::memcpy(row, in, dims * 4ul); }

void ScoresPlain16(const float* query, const void* const* rows, uint32_t count, uint32_t dims, float* out) {
  for (uint32_t r = 0; r < count; r++) {
    const uint16_t* row = static_cast<const uint16_t*>(rows[r]);
    float sum[4] = {0, 0, 0, 0};
    for (uint32_t i = 0; i < dims; i += 4)
      for (uint32_t j = 0; j < 4; j++) sum[j] += query[i + j] * FloatOf(row[i + j]);
    out[r] = (sum[0] + sum[2]) + (sum[1] + sum[3]);
  }
}
void LoadPlain16(const void* row, uint32_t dims, float* out) {
  for (uint32_t i = 0; i < dims; i++) out[i] = FloatOf(static_cast<const uint16_t*>(row)[i]);
}
void StorePlain16(const float* in, uint32_t dims, void* row) {
  for (uint32_t i = 0; i < dims; i++) static_cast<uint16_t*>(row)[i] = HalfOf(in[i]);
}

#if defined(__x86_64__)

#define KINDRED_AVX2 __attribute__((target("avx2,fma,f16c")))
#define KINDRED_AVX512 __attribute__((target("avx512f")))

KINDRED_AVX2 inline float Sum8(__m256 v) {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
}

KINDRED_AVX2 void ScoresAvx2_32(const float* query, const void* const* rows, uint32_t count, uint32_t dims, float* out) {
  for (uint32_t r = 0; r < count; r++) {
    const float* row = static_cast<const float*>(rows[r]);
    __m256 a = _mm256_setzero_ps(), b = _mm256_setzero_ps();
    for (uint32_t i = 0; i < dims; i += 16) {
      a = _mm256_fmadd_ps(_mm256_loadu_ps(query + i), _mm256_load_ps(row + i), a);
      b = _mm256_fmadd_ps(_mm256_loadu_ps(query + i + 8), _mm256_load_ps(row + i + 8), b);
    }
    out[r] = Sum8(_mm256_add_ps(a, b));
  }
}

KINDRED_AVX2 inline __m256 Halves8(const uint16_t* at) {
  return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(at)));
}

KINDRED_AVX2 void ScoresAvx2_16(const float* query, const void* const* rows, uint32_t count, uint32_t dims, float* out) {
  for (uint32_t r = 0; r < count; r++) {
    const uint16_t* row = static_cast<const uint16_t*>(rows[r]);
    __m256 a = _mm256_setzero_ps(), b = _mm256_setzero_ps();
    for (uint32_t i = 0; i < dims; i += 16) {
      a = _mm256_fmadd_ps(_mm256_loadu_ps(query + i), Halves8(row + i), a);
      b = _mm256_fmadd_ps(_mm256_loadu_ps(query + i + 8), Halves8(row + i + 8), b);
    }
    out[r] = Sum8(_mm256_add_ps(a, b));
  }
}

KINDRED_AVX2 void LoadAvx2_16(const void* row, uint32_t dims, float* out) {
  const uint16_t* in = static_cast<const uint16_t*>(row);
  uint32_t i = 0;
  for (; i + 8 <= dims; i += 8) _mm256_storeu_ps(out + i, Halves8(in + i));
  for (; i < dims; i++) out[i] = FloatOf(in[i]);
}

KINDRED_AVX2 void StoreAvx2_16(const float* in, uint32_t dims, void* row) {
  uint16_t* out = static_cast<uint16_t*>(row);
  uint32_t i = 0;
  for (; i + 8 <= dims; i += 8)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT));
  for (; i < dims; i++) out[i] = HalfOf(in[i]);
}

KINDRED_AVX512 void ScoresAvx512_32(const float* query, const void* const* rows, uint32_t count, uint32_t dims, float* out) {
  for (uint32_t r = 0; r < count; r++) {
    const float* row = static_cast<const float*>(rows[r]);
    __m512 a = _mm512_setzero_ps(), b = _mm512_setzero_ps();
    uint32_t i = 0;
    for (; i + 32 <= dims; i += 32) {
      a = _mm512_fmadd_ps(_mm512_loadu_ps(query + i), _mm512_load_ps(row + i), a);
      b = _mm512_fmadd_ps(_mm512_loadu_ps(query + i + 16), _mm512_load_ps(row + i + 16), b);
    }
    if (i < dims) a = _mm512_fmadd_ps(_mm512_loadu_ps(query + i), _mm512_load_ps(row + i), a);
    out[r] = _mm512_reduce_add_ps(_mm512_add_ps(a, b));
  }
}

KINDRED_AVX512 void ScoresAvx512_16(const float* query, const void* const* rows, uint32_t count, uint32_t dims, float* out) {
  for (uint32_t r = 0; r < count; r++) {
    const __m256i* row = static_cast<const __m256i*>(rows[r]);
    __m512 a = _mm512_setzero_ps(), b = _mm512_setzero_ps();
    for (uint32_t i = 0; i < dims; i += 32, row += 2) {
      a = _mm512_fmadd_ps(_mm512_loadu_ps(query + i), _mm512_cvtph_ps(_mm256_load_si256(row)), a);
      b = _mm512_fmadd_ps(_mm512_loadu_ps(query + i + 16), _mm512_cvtph_ps(_mm256_load_si256(row + 1)), b);
    }
    out[r] = _mm512_reduce_add_ps(_mm512_add_ps(a, b));
  }
}

#elif defined(__aarch64__)

void ScoresNeon32(const float* query, const void* const* rows, uint32_t count, uint32_t dims, float* out) {
  for (uint32_t r = 0; r < count; r++) {
    const float* row = static_cast<const float*>(rows[r]);
    float32x4_t a = vdupq_n_f32(0), b = a, c = a, d = a;
    for (uint32_t i = 0; i < dims; i += 16) {
      a = vfmaq_f32(a, vld1q_f32(query + i), vld1q_f32(row + i));
      b = vfmaq_f32(b, vld1q_f32(query + i + 4), vld1q_f32(row + i + 4));
      c = vfmaq_f32(c, vld1q_f32(query + i + 8), vld1q_f32(row + i + 8));
      d = vfmaq_f32(d, vld1q_f32(query + i + 12), vld1q_f32(row + i + 12));
    }
    out[r] = vaddvq_f32(vaddq_f32(vaddq_f32(a, b), vaddq_f32(c, d)));
  }
}

void ScoresNeon16(const float* query, const void* const* rows, uint32_t count, uint32_t dims, float* out) {
  for (uint32_t r = 0; r < count; r++) {
    const uint16_t* row = static_cast<const uint16_t*>(rows[r]);
    float32x4_t a = vdupq_n_f32(0), b = a;
    for (uint32_t i = 0; i < dims; i += 8) {
      const float16x8_t halves = vreinterpretq_f16_u16(vld1q_u16(row + i));
      a = vfmaq_f32(a, vld1q_f32(query + i), vcvt_f32_f16(vget_low_f16(halves)));
      b = vfmaq_f32(b, vld1q_f32(query + i + 4), vcvt_f32_f16(vget_high_f16(halves)));
    }
    out[r] = vaddvq_f32(vaddq_f32(a, b));
  }
}

#endif

struct Choice {
  Kernels float32, float16;
  bool available;
};

const Choice* Choices(size_t* count) {
  static const Choice choices[] = {
#if defined(__x86_64__)
      {{ScoresAvx512_32, LoadPlain32, StorePlain32, "avx512"},
       {ScoresAvx512_16, LoadAvx2_16, StoreAvx2_16, "avx512"},
       __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
      {{ScoresAvx2_32, LoadPlain32, StorePlain32, "avx2"},
       {ScoresAvx2_16, LoadAvx2_16, StoreAvx2_16, "avx2"},
       __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
#elif defined(__aarch64__)
      {{ScoresNeon32, LoadPlain32, StorePlain32, "neon"}, {ScoresNeon16, LoadPlain16, StorePlain16, "neon"}, true},
#endif
      {{ScoresPlain32, LoadPlain32, StorePlain32, "plain"}, {ScoresPlain16, LoadPlain16, StorePlain16, "plain"}, true},
  };
  *count = sizeof(choices) / sizeof(choices[0]);
  return choices;
}

}  // namespace

size_t AvailableKernels(Storage storage, const Kernels** out, size_t most) {
  size_t count, found = 0;
  const Choice* choices = Choices(&count);
  for (size_t i = 0; i < count && found < most; i++)
    if (choices[i].available) out[found++] = storage == Storage::kFloat32 ? &choices[i].float32 : &choices[i].float16;
  return found;
}

const Kernels& KernelsFor(Storage storage) {
  const Kernels* best = nullptr;
  AvailableKernels(storage, &best, 1);
  return *best;
}

}  // namespace kindred
