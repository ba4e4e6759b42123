#include "skip_gram_math.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kindred::skip_gram {

namespace {

// e^x of a clamped x by 2^n * 2^f: adding and taking away 1.5 * 2^23 rounds to an integer without a branch, so that loops become vectors.
inline __attribute__((always_inline)) float Sigmoid(float x) {
  const float bounded = x > 30.f ? 30.f : (x < -30.f ? -30.f : x);
  const float power = -1.44269504f * bounded;
  const float whole = (power + 12582912.f) - 12582912.f;
  const float f = (power - whole) * 0.693147181f;
  const float e = 1.f + f * (1.f + f * (0.5f + f * (0.166666667f + f * (0.0416666667f + f * (0.00833333333f + f * 0.00138888889f)))));
  const int32_t bits = (static_cast<int32_t>(whole) + 127) << 23;
  float scale;
  std::memcpy(&scale, &bits, 4);
  return 1.f / (1.f + e * scale);
}

// ---- plain: four sums, so that the compiler may use what the base instruction set has ----

void DotsPlain(const float* left, uint32_t few, const float* right, uint32_t many, uint32_t dims, float* out) {
  for (uint32_t i = 0; i < few; i++)
    for (uint32_t j = 0; j < many; j++) {
      const float *a = left + size_t{i} * dims, *b = right + size_t{j} * dims;
      float sum[4] = {0, 0, 0, 0};
      for (uint32_t d = 0; d < dims; d += 4)
        for (uint32_t k = 0; k < 4; k++) sum[k] += a[d + k] * b[d + k];
      out[size_t{i} * many + j] = (sum[0] + sum[2]) + (sum[1] + sum[3]);
    }
}

void CombinePlain(const float* factors, size_t i_step, size_t j_step, uint32_t outs, const float* rows, uint32_t count, uint32_t dims, float* out) {
  for (uint32_t i = 0; i < outs; i++) {
    float* to = out + size_t{i} * dims;
    std::memset(to, 0, dims * 4ul);
    for (uint32_t j = 0; j < count; j++) {
      const float factor = factors[i * i_step + j * j_step];
      const float* row = rows + size_t{j} * dims;
      for (uint32_t d = 0; d < dims; d++) to[d] += factor * row[d];
    }
  }
}

void SigmoidsPlain(float* values, size_t count) {
  for (size_t i = 0; i < count; i++) values[i] = Sigmoid(values[i]);
}

float SquarePlain(const float* row, uint32_t dims) {
  float out;
  DotsPlain(row, 1, row, 1, dims, &out);
  return out;
}

void AddPlain(float* row, const float* change, float rate, uint32_t dims) {
  for (uint32_t d = 0; d < dims; d++) row[d] += rate * change[d];
}

constexpr Math kPlain = {DotsPlain, CombinePlain, SigmoidsPlain, SquarePlain, AddPlain, "plain"};

#if defined(__x86_64__)

#define KINDRED_AVX2 __attribute__((target("avx2,fma")))

KINDRED_AVX2 inline float Sum8(__m256 v) {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
}

// Rows of left by two of right at once: each loaded vector is used for several products.
template <int kRows>
KINDRED_AVX2 void DotsTile(const float* left, const float* right, uint32_t many, uint32_t dims, float* out) {
  uint32_t j = 0;
  for (; j + 2 <= many; j += 2) {
    const float *b0 = right + size_t{j} * dims, *b1 = b0 + dims;
    __m256 sums[kRows][2];
    for (int r = 0; r < kRows; r++) sums[r][0] = sums[r][1] = _mm256_setzero_ps();
    for (uint32_t d = 0; d < dims; d += 8) {
      const __m256 y0 = _mm256_loadu_ps(b0 + d), y1 = _mm256_loadu_ps(b1 + d);
      for (int r = 0; r < kRows; r++) {
        const __m256 x = _mm256_loadu_ps(left + size_t(r) * dims + d);
        sums[r][0] = _mm256_fmadd_ps(x, y0, sums[r][0]);
        sums[r][1] = _mm256_fmadd_ps(x, y1, sums[r][1]);
      }
    }
    for (int r = 0; r < kRows; r++)
      for (int c = 0; c < 2; c++) out[size_t(r) * many + j + c] = Sum8(sums[r][c]);
  }
  for (; j < many; j++)
    for (int r = 0; r < kRows; r++) {
      __m256 sum = _mm256_setzero_ps();
      for (uint32_t d = 0; d < dims; d += 8)
        sum = _mm256_fmadd_ps(_mm256_loadu_ps(left + size_t(r) * dims + d), _mm256_loadu_ps(right + size_t{j} * dims + d), sum);
      out[size_t(r) * many + j] = Sum8(sum);
    }
}

KINDRED_AVX2 void DotsAvx2(const float* left, uint32_t few, const float* right, uint32_t many, uint32_t dims, float* out) {
  uint32_t i = 0;
  for (; i + 4 <= few; i += 4) DotsTile<4>(left + size_t{i} * dims, right, many, dims, out + size_t{i} * many);
  for (; i < few; i++) DotsTile<1>(left + size_t{i} * dims, right, many, dims, out + size_t{i} * many);
}

template <int kRows>
KINDRED_AVX2 void CombineTile(const float* factors, size_t i_step, size_t j_step, const float* rows, uint32_t count, uint32_t dims, float* out) {
  for (uint32_t d = 0; d < dims; d += 16) {
    __m256 sums[kRows][2];
    for (int r = 0; r < kRows; r++) sums[r][0] = sums[r][1] = _mm256_setzero_ps();
    for (uint32_t j = 0; j < count; j++) {
      const float* row = rows + size_t{j} * dims + d;
      const __m256 y0 = _mm256_loadu_ps(row), y1 = _mm256_loadu_ps(row + 8);
      for (int r = 0; r < kRows; r++) {
        const __m256 factor = _mm256_broadcast_ss(factors + r * i_step + j * j_step);
        sums[r][0] = _mm256_fmadd_ps(factor, y0, sums[r][0]);
        sums[r][1] = _mm256_fmadd_ps(factor, y1, sums[r][1]);
      }
    }
    for (int r = 0; r < kRows; r++) {
      _mm256_storeu_ps(out + size_t(r) * dims + d, sums[r][0]);
      _mm256_storeu_ps(out + size_t(r) * dims + d + 8, sums[r][1]);
    }
  }
}

KINDRED_AVX2 void CombineAvx2(const float* factors, size_t i_step, size_t j_step, uint32_t outs, const float* rows, uint32_t count, uint32_t dims, float* out) {
  uint32_t i = 0;
  for (; i + 4 <= outs; i += 4) CombineTile<4>(factors + i * i_step, i_step, j_step, rows, count, dims, out + size_t{i} * dims);
  for (; i < outs; i++) CombineTile<1>(factors + i * i_step, i_step, j_step, rows, count, dims, out + size_t{i} * dims);
}

KINDRED_AVX2 void SigmoidsAvx2(float* values, size_t count) {
  for (size_t i = 0; i < count; i++) values[i] = Sigmoid(values[i]);
}

KINDRED_AVX2 float SquareAvx2(const float* row, uint32_t dims) {
  __m256 sum = _mm256_setzero_ps();
  for (uint32_t d = 0; d < dims; d += 8) sum = _mm256_fmadd_ps(_mm256_loadu_ps(row + d), _mm256_loadu_ps(row + d), sum);
  return Sum8(sum);
}

KINDRED_AVX2 void AddAvx2(float* row, const float* change, float rate, uint32_t dims) {
  const __m256 by = _mm256_set1_ps(rate);
  for (uint32_t d = 0; d < dims; d += 8) _mm256_storeu_ps(row + d, _mm256_fmadd_ps(by, _mm256_loadu_ps(change + d), _mm256_loadu_ps(row + d)));
}

constexpr Math kAvx2 = {DotsAvx2, CombineAvx2, SigmoidsAvx2, SquareAvx2, AddAvx2, "avx2"};

#endif

}  // namespace

const Math& MathFor(bool plain) {
#if defined(__x86_64__)
  if (!plain && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return kAvx2;
#endif
  return kPlain;
}

}  // namespace kindred::skip_gram
