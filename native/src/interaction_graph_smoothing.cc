// What follows the steps of training: outputs and inputs go towards what the graph makes of the inputs.
#include <cmath>

#include "interaction_graph_trainer.h"

namespace kindred::interaction_graph {

bool Trainer::Propagated(float length_exponent, const std::atomic<bool>& stop, Table& sum) const {
  return graph_.Propagate(
      input_, math_, settings_.threads, stop,
      [&](uint32_t user, float* pooled) {
        const float square = math_.square(pooled, width_);
        const float by = square > 0 ? std::pow(graph_.user_degree(user), -settings_.smoothing_user) * std::pow(square, -0.5f * length_exponent) : 0.f;
        for (uint32_t d = 0; d < width_; d++) pooled[d] *= by;
      },
      sum);
}

// Divided by the root of its length a pool is half-way to a unit vector: who has many items of one kind counts for more.
bool Trainer::Smooth(const std::atomic<bool>& stop) {
  if (settings_.smoothing == 0) return true;
  Table sum;
  if (!Propagated(0.5f, stop, sum)) return false;
  for (const uint32_t item : graph_.seen()) {
    const float by = std::pow(graph_.item_degrees()[item], -settings_.smoothing_item);
    for (uint32_t d = 0; d < width_; d++) sum.row(item)[d] *= by;
  }
  const double before = LengthOf(output_, math_), of_sum = LengthOf(sum, math_);
  if (!(of_sum > 0)) return true;
  Scale(output_, 1 - settings_.smoothing);
  for (uint32_t item = 0; item < items(); item++) math_.add(output_.row(item), sum.row(item), static_cast<float>(settings_.smoothing * before / of_sum), width_);
  const double after = LengthOf(output_, math_);
  if (after > 0) Scale(output_, before / after);
  return true;
}

// An item with few events has learned little: it turns towards where its users point, and keeps its length.
bool Trainer::SmoothInputs(const std::atomic<bool>& stop) {
  if (settings_.input_smoothing == 0) return true;
  Table sum;
  if (!Propagated(1, stop, sum)) return false;
  for (const uint32_t item : graph_.seen()) {
    float* row = input_.row(item);
    const float length = std::sqrt(math_.square(row, width_)), of_sum = std::sqrt(math_.square(sum.row(item), width_));
    if (!(of_sum > 0)) continue;
    const float share = settings_.input_smoothing / (settings_.input_smoothing + graph_.item_degrees()[item]);
    for (uint32_t d = 0; d < width_; d++) row[d] *= 1 - share;
    math_.add(row, sum.row(item), share * length / of_sum, width_);
  }
  return true;
}

}  // namespace kindred::interaction_graph
