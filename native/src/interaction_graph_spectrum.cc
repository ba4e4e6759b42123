#include "interaction_graph_spectrum.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numeric>

#include "skip_gram_sampler.h"

namespace kindred::interaction_graph {

namespace {

// Columns beyond the rank wanted: with them the last ones wanted converge as well.
constexpr uint32_t kOversample = 16;
// Rows whose product is added up in floats before it goes into doubles.
constexpr uint32_t kBlock = 256;
// A column is dependent where what is left of it is this small beside what it was.
constexpr double kDependent = 1e-7;
constexpr uint64_t kSpectrumStream = 3ull << 40;

using Square = std::vector<double>;

// out = X' Y, columns by columns.
Square Product(const Table& x, const Table& y, uint32_t columns, const Math& math, uint32_t threads) {
  Square out(size_t{columns} * columns);
  std::atomic<size_t> next{0};
  std::mutex mutex;
  OnThreads(threads, [&] {
    Square own(out.size());
    std::vector<float> block(size_t{columns} * y.width);
    for (size_t at = next.fetch_add(kBlock); at < x.rows(); at = next.fetch_add(kBlock)) {
      const auto many = static_cast<uint32_t>(std::min<size_t>(kBlock, x.rows() - at));
      math.combine(x.row(at), 1, x.width, columns, y.row(at), many, y.width, block.data());
      for (uint32_t i = 0; i < columns; i++)
        for (uint32_t j = 0; j < columns; j++) own[size_t{i} * columns + j] += block[size_t{i} * y.width + j];
    }
    std::lock_guard<std::mutex> lock(mutex);
    for (size_t i = 0; i < out.size(); i++) out[i] += own[i];
  });
  return out;
}

// X becomes X M, where M has a row for each column of X.
void Multiply(Table& x, const Square& m, uint32_t columns, uint32_t outs, const Math& math, uint32_t threads) {
  const uint32_t width = Padded(outs);
  Table factors(columns, width), result(x.rows(), width);
  for (uint32_t i = 0; i < columns; i++)
    for (uint32_t j = 0; j < outs; j++) factors.row(i)[j] = static_cast<float>(m[size_t{i} * outs + j]);
  std::atomic<size_t> next{0};
  OnThreads(threads, [&] {
    for (size_t at = next.fetch_add(kBlock); at < x.rows(); at = next.fetch_add(kBlock)) {
      const auto many = static_cast<uint32_t>(std::min<size_t>(kBlock, x.rows() - at));
      math.combine(x.row(at), x.width, 1, many, factors.row(0), columns, width, result.row(at));
    }
  });
  x = std::move(result);
}

// The inverse of R where X'X = R'R, R upper triangular: X times it is orthonormal.
Square InverseOfFactor(Square gram, uint32_t n) {
  Square r(gram.size()), inverse(gram.size());
  std::vector<char> kept(n, 1);
  for (uint32_t j = 0; j < n; j++) {
    double left = gram[size_t{j} * n + j];
    for (uint32_t k = 0; k < j; k++) left -= r[size_t{k} * n + j] * r[size_t{k} * n + j];
    kept[j] = left > kDependent * gram[size_t{j} * n + j] && left > 1e-30;
    if (!kept[j]) continue;
    const double root = std::sqrt(left);
    r[size_t{j} * n + j] = root;
    for (uint32_t c = j + 1; c < n; c++) {
      double sum = gram[size_t{j} * n + c];
      for (uint32_t k = 0; k < j; k++) sum -= r[size_t{k} * n + j] * r[size_t{k} * n + c];
      r[size_t{j} * n + c] = sum / root;
    }
  }
  for (uint32_t j = 0; j < n; j++) {
    if (!kept[j]) continue;
    inverse[size_t{j} * n + j] = 1 / r[size_t{j} * n + j];
    for (uint32_t i = j; i-- > 0;) {
      if (!kept[i]) continue;
      double sum = 0;
      for (uint32_t k = i + 1; k <= j; k++) sum += r[size_t{i} * n + k] * inverse[size_t{k} * n + j];
      inverse[size_t{i} * n + j] = -sum / r[size_t{i} * n + i];
    }
  }
  return inverse;
}

float Gaussian(skip_gram::Random& random) {
  const double radius = std::sqrt(-2 * std::log(1 - static_cast<double>(random.Share())));
  return static_cast<float>(radius * std::cos(6.283185307179586 * random.Share()));
}

}  // namespace

void Orthonormalise(Table& x, uint32_t columns, const Math& math, uint32_t threads) {
  for (int turn = 0; turn < 2; turn++) {
    const Square inverse = InverseOfFactor(Product(x, x, columns, math, threads), columns);
    Multiply(x, inverse, columns, columns, math, threads);
  }
}

void Eigen(std::vector<double> a, uint32_t n, std::vector<double>& values, std::vector<double>& vectors) {
  std::vector<double> v(a.size());
  for (uint32_t i = 0; i < n; i++) v[size_t{i} * n + i] = 1;
  const auto at = [n](uint32_t i, uint32_t j) { return size_t{i} * n + j; };
  for (int sweep = 0; sweep < 30; sweep++) {
    double off = 0, all = 0;
    for (uint32_t i = 0; i < n; i++)
      for (uint32_t j = 0; j < n; j++) (i == j ? all : off) += a[at(i, j)] * a[at(i, j)];
    if (off <= 1e-20 * all) break;
    for (uint32_t p = 0; p + 1 < n; p++)
      for (uint32_t q = p + 1; q < n; q++) {
        const double apq = a[at(p, q)];
        if (apq * apq <= 1e-24 * std::abs(a[at(p, p)] * a[at(q, q)])) continue;
        const double theta = (a[at(q, q)] - a[at(p, p)]) / (2 * apq);
        const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
        const double c = 1 / std::sqrt(t * t + 1), s = t * c;
        // Rows, then columns; v holds its vectors as rows, so that all but the columns lie together.
        for (uint32_t k = 0; k < n; k++) {
          const double x = a[at(p, k)], y = a[at(q, k)], vx = v[at(p, k)], vy = v[at(q, k)];
          a[at(p, k)] = c * x - s * y;
          a[at(q, k)] = s * x + c * y;
          v[at(p, k)] = c * vx - s * vy;
          v[at(q, k)] = s * vx + c * vy;
        }
        for (uint32_t k = 0; k < n; k++) {
          const double x = a[at(k, p)], y = a[at(k, q)];
          a[at(k, p)] = c * x - s * y;
          a[at(k, q)] = s * x + c * y;
        }
      }
  }
  std::vector<uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t i, uint32_t j) { return a[at(i, i)] > a[at(j, j)]; });
  values.resize(n);
  vectors.resize(a.size());
  for (uint32_t c = 0; c < n; c++) {
    values[c] = a[at(order[c], order[c])];
    for (uint32_t k = 0; k < n; k++) vectors[at(k, c)] = v[at(order[c], k)];
  }
}

bool SpectrumOf(const Graph& graph, const Math& math, const SpectrumSettings& settings, const std::atomic<bool>& stop, const std::function<void(uint32_t)>& pass,
                Spectrum& out) {
  const uint32_t items = graph.items(), columns = settings.rank + kOversample, threads = settings.threads;
  std::vector<float> item_scale(items);
  for (uint32_t item = 0; item < items; item++) item_scale[item] = 1 / std::sqrt(graph.item_degrees()[item] + kDegreeOffset);
  Table q(items, Padded(columns)), y;
  skip_gram::Random random = skip_gram::RandomOf(settings.seed, 0, kSpectrumStream);
  for (uint32_t item : graph.seen())
    for (uint32_t c = 0; c < columns; c++) q.row(item)[c] = Gaussian(random);
  const auto scale = [&](Table& table) {
    for (uint32_t item = 0; item < items; item++)
      for (uint32_t c = 0; c < table.width; c++) table.row(item)[c] *= item_scale[item];
  };
  // Y = A'A Q
  const auto apply = [&] {
    Table scaled = q;
    scale(scaled);
    const bool whole = graph.Propagate(
        scaled, math, threads, stop,
        [&](uint32_t user, float* pooled) {
          const float by = 1 / (graph.user_degree(user) + kDegreeOffset);
          for (uint32_t c = 0; c < scaled.width; c++) pooled[c] *= by;
        },
        y);
    if (whole) scale(y);
    return whole;
  };
  Orthonormalise(q, columns, math, threads);
  for (uint32_t done = 0; done < settings.passes; done++) {
    if (!apply()) return false;
    pass(done + 1);
    q = std::move(y);
    Orthonormalise(q, columns, math, threads);
  }
  if (!apply()) return false;
  std::vector<double> values, vectors;
  Eigen(Product(q, y, columns, math, threads), columns, values, vectors);
  Square first(size_t{columns} * settings.rank);
  for (uint32_t i = 0; i < columns; i++)
    for (uint32_t c = 0; c < settings.rank; c++) first[size_t{i} * settings.rank + c] = values[c] > 1e-12 ? vectors[size_t{i} * columns + c] : 0;
  Multiply(q, first, columns, settings.rank, math, threads);
  out.values.clear();
  for (uint32_t c = 0; c < settings.rank; c++) out.values.push_back(static_cast<float>(std::sqrt(std::max(0., values[c]))));
  out.vectors = std::move(q);
  pass(settings.passes + 1);
  return true;
}

}  // namespace kindred::interaction_graph
