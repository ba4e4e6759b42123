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

template <typename ShareOf>
void Trainer::TurnInputs(const Table& sum, const ShareOf& share_of) {
  for (const uint32_t item : graph_.seen()) {
    float* row = input_.row(item);
    const float length = std::sqrt(math_.square(row, width_)), of_sum = std::sqrt(math_.square(sum.row(item), width_));
    if (!(of_sum > 0)) continue;
    const float share = share_of(graph_.item_degrees()[item]);
    for (uint32_t d = 0; d < width_; d++) row[d] *= 1 - share;
    math_.add(row, sum.row(item), share * length / of_sum, width_);
  }
}

// One propagation serves outputs and inputs: the inputs turn last, towards what they were. Stopped, neither is changed.
// Divided by the root of its length a pool is half-way to a unit vector: who has many items of one kind counts for more.
bool Trainer::SmoothEpoch(const std::atomic<bool>& stop) {
  if (settings_.smoothing == 0 && settings_.input_smoothing_each == 0) return true;
  Table sum;
  if (!Propagated(0.5f, stop, sum)) return false;
  if (settings_.smoothing > 0) SmoothOutputs(sum);
  // Its length is of no account here, so what outputs have made of the sum will do.
  if (settings_.input_smoothing_each > 0) TurnInputs(sum, [&](float) { return settings_.input_smoothing_each; });
  return true;
}

void Trainer::SmoothOutputs(Table& sum) {
  for (const uint32_t item : graph_.seen()) {
    const float by = std::pow(graph_.item_degrees()[item], -settings_.smoothing_item);
    for (uint32_t d = 0; d < width_; d++) sum.row(item)[d] *= by;
  }
  const double before = LengthOf(output_, math_), of_sum = LengthOf(sum, math_);
  if (!(of_sum > 0)) return;
  Scale(output_, 1 - settings_.smoothing);
  for (uint32_t item = 0; item < items(); item++) math_.add(output_.row(item), sum.row(item), static_cast<float>(settings_.smoothing * before / of_sum), width_);
  const double after = LengthOf(output_, math_);
  if (after > 0) Scale(output_, before / after);
}

// An item with few events has learned little: it turns towards where its users point, and keeps its length.
bool Trainer::SmoothInputs(const std::atomic<bool>& stop) {
  if (settings_.input_smoothing == 0) return true;
  Table sum;
  if (!Propagated(1, stop, sum)) return false;
  TurnInputs(sum, [&](float degree) { return settings_.input_smoothing / (settings_.input_smoothing + degree); });
  return true;
}

}  // namespace kindred::interaction_graph
