// The largest singular values of the normalised matrix D_u^-1/2 R D_i^-1/2 and its vectors on the side of items, by subspace iteration
// from a random start (Halko, Martinsson, Tropp, "Finding structure with randomness", SIAM Review 53, 2011). Degrees are counted
// three higher, so that who has one item does not weigh as much as who has many.
#pragma once
#include "interaction_graph.h"

namespace kindred::interaction_graph {

// Added to each degree.
constexpr float kDegreeOffset = 3;

struct Spectrum {
  // Falling; zeros beyond the rank of the matrix, and their vectors too.
  std::vector<float> values;
  // One row an item, orthonormal columns.
  Table vectors;
};

struct SpectrumSettings {
  uint32_t rank = 1, passes = 6, threads = 1, seed = 0;
};

// `pass` is called after each pass over the edges. @return false where `stop` came first
bool SpectrumOf(const Graph& graph, const Math& math, const SpectrumSettings& settings, const std::atomic<bool>& stop, const std::function<void(uint32_t)>& pass,
                Spectrum& out);

// X = Q R by Cholesky's method (twice, for full accuracy; Yamamoto et al., "Roundoff error analysis of the CholeskyQR2 algorithm", ETNA 44,
// 2015): X becomes Q. Columns that depend on those before become zeros.
void Orthonormalise(Table& x, uint32_t columns, const Math& math, uint32_t threads);

// Of a symmetric matrix, row-major, by Jacobi's rotations: values fall, column c of `vectors` belongs to value c.
void Eigen(std::vector<double> matrix, uint32_t size, std::vector<double>& values, std::vector<double>& vectors);

}  // namespace kindred::interaction_graph
