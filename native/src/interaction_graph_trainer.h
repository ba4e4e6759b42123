// Item vectors for pooled users: an input vector of each item, which users pool, and an output vector, by which items are scored (after
// LightGCN: He et al., SIGIR 2020, without a parameter of any user). They start as the spectrum of the interaction graph has them. A step
// takes a batch of users, hides a random share of each history, and lets the pool of the rest find what was hidden among negatives that the
// batch shares: a sampled softmax. After each epoch the outputs are drawn towards what one propagation over the graph makes of the inputs.
// Threads write the tables without locks (Niu et al., "Hogwild!", 2011); one thread is exact.
#pragma once
#include <array>
#include <cstdint>
#include <mutex>
#include <vector>

#include "interaction_graph.h"
#include "skip_gram_sampler.h"

namespace kindred::interaction_graph {

using skip_gram::Random;

struct Settings {
  uint32_t dims = 0, epochs = 1, threads = 1, seed = 0;
  // Passes over the edges for the spectrum.
  uint32_t passes = 6;
  // Negatives that a batch shares, and how many items each of them stands for in the softmax.
  uint32_t negatives = 1;
  float negative_weight = 1;
  // Of a history, the share that is pooled: drawn between these.
  float least_kept = 0, most_kept = 1;
  // Of the steps of a user, the share in which only 1 to `few` items are pooled, as of somebody who is new.
  float few_share = 0;
  uint32_t few = 1;
  // At most so many of the hidden items are learned from in one step.
  uint32_t positives = 1;
  // A user's positives weigh together their number to the power of 1 - this.
  float user_exponent = 0;
  // Learning rate of the first step; it falls linearly to none.
  float rate = 0;
  // Share of what a row has of its squared gradients that its next step leaves.
  float memory = 0;
  // How far the outputs go towards the propagated inputs after each epoch, and the exponents of the degrees that these are divided by.
  float smoothing = 0, smoothing_user = 0, smoothing_item = 0;
  // At the end, how many events the direction in which an item's users point counts for beside what its input vector has learned.
  float input_smoothing = 0;
  // How far the inputs turn towards where their items' users point after each epoch, whatever they have learned.
  float input_smoothing_each = 0;
  bool plain = false;
};

// Points of the curve of losses, at equal shares of the whole training.
constexpr size_t kCurvePoints = 64;

// Where training is. The spectrum is epoch 0, the epochs follow, and the smoothing of inputs is one more; with user at the end of an epoch its
// smoothing is still to come.
struct Progress {
  uint32_t epoch = 0, user = 0;
  // Hidden items learned from, and their loss.
  uint64_t pairs = 0;
  double loss = 0;
  std::array<double, kCurvePoints> curve_loss{}, curve_pairs{};
  double cpu_seconds = 0;
};

// One row an item, without padding; squares one number an item.
struct Tables {
  std::vector<float> input, output, input_squares, output_squares;
};

// Of one user: what is pooled, and what is to be found.
struct Example {
  std::vector<Edge> kept;
  std::vector<uint32_t> hidden;
  // Of the whole history, for negatives that are the user's own.
  uint32_t user = 0;
};

class Trainer {
 public:
  // @throws IndexError INVALID_ARGUMENT
  Trainer(const Settings& settings, Graph graph);

  // Goes on to the end of the last epoch, or until `stop`: batches begun are done first; a spectrum or a smoothing begun is given up. @return whether all is done
  bool Run(const std::atomic<bool>& stop);
  Progress progress() const;
  uint32_t items() const { return graph_.items(); }
  const Settings& settings() const { return settings_; }
  const char* kernel() const { return math_.name; }

  // None while Run does.
  Tables Read() const;
  void Write(const Tables& tables, const Progress& progress);
  // For tests: one batch of the caller's choice, and the smoothings.
  void Step(const std::vector<Example>& examples, const std::vector<uint32_t>& negatives, float rate);
  void Smooth() {
    const std::atomic<bool> never{false};
    SmoothEpoch(never);
  }
  void SmoothInputs() {
    const std::atomic<bool> never{false};
    SmoothInputs(never);
  }

 private:
  // Of one thread.
  struct Scratch {
    Scratch(const Settings& settings, uint32_t items, uint32_t width);
    std::vector<Example> examples;
    std::vector<Edge> history;
    std::vector<uint32_t> negatives, mark;
    uint32_t marked = 0;
    std::vector<float> positive_scores, factors, change;
    Table pooled, pooled_change, outputs, output_change;
    // Negatives by user.
    std::vector<float> scores;
    uint64_t pairs = 0;
    double loss = 0;
  };
  bool Start(const std::atomic<bool>& stop);
  bool SmoothEpoch(const std::atomic<bool>& stop);
  void SmoothOutputs(Table& sum);
  bool SmoothInputs(const std::atomic<bool>& stop);
  // By `share_of(degree)` inputs turn towards the sum, and keep their lengths.
  template <typename ShareOf>
  void TurnInputs(const Table& sum, const ShareOf& share_of);
  // What one propagation makes of the inputs: by item the sum of its users' pools, divided by powers of their lengths and of the users' degrees.
  bool Propagated(float length_exponent, const std::atomic<bool>& stop, Table& sum) const;
  void Epoch(const std::atomic<bool>& stop);
  void Work(const std::vector<uint32_t>& order, const std::atomic<bool>& stop, std::atomic<uint32_t>& next);
  // What of a history is kept and what is hidden.
  void Divide(uint32_t user, Random& random, Scratch& scratch, Example& example) const;
  void Batch(float rate, Scratch& scratch);
  void Pool(const Example& example, float* pooled) const;
  // Scores of one user's negatives become what each adds to the gradient; the positives' are appended to `factors`.
  void Softmax(size_t at, Scratch& scratch);
  void Apply(Table& table, std::vector<float>& squares, uint32_t row, const float* change, float factor, float rate);
  float NormOf(const Example& example) const;
  double ShareAt(uint32_t user) const;

  Settings settings_;
  Graph graph_;
  const Math& math_;
  uint32_t width_;
  Table input_, output_;
  std::vector<float> input_squares_, output_squares_;
  mutable std::mutex mutex_;
  Progress progress_;
};

}  // namespace kindred::interaction_graph
