// Skip-gram with negative sampling over histories as sets (Mikolov et al., NIPS 2013; Barkan, Koenigstein, "Item2Vec", 2016). A history is
// thinned and shuffled anew in each epoch and cut into blocks of about equal size; the items of a block are each other's context. A block
// shares its negatives (Ji et al., "Parallelizing word2vec in shared and distributed memory", 2016), so that a step is three matrix
// products that stay in the cache. In place of histories there may be walks over a graph: then blocks are parts of a walk, and a pair is two
// nodes within a window of each other whose types are each other's context. Threads write the tables without locks (Niu et al., "Hogwild!", 2011); one thread is exact.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "skip_gram_math.h"
#include "skip_gram_sampler.h"
#include "skip_gram_walks.h"

namespace kindred::skip_gram {

struct Settings {
  uint32_t dims = 0, epochs = 1, threads = 1, seed = 0;
  // Items of a block, and negatives that it shares.
  uint32_t block = 2, negatives = 1;
  // What the negatives weigh against one pair: the K of the papers, however many are drawn.
  float negative_weight = 1;
  // Of the negatives, those drawn from the stratum of an item of the block.
  float strata_share = 0;
  // Learning rates, from the first block linearly to the last.
  float rate = 0, last_rate = 0;
  // AdaGrad with one accumulator a row; else plain descent.
  bool adagrad = true;
  bool plain = false;
};

// Users' rows and what is known of each item. Checked by the trainer.
struct Data {
  std::vector<uint32_t> starts, rows;
  // By item: weight as a negative, stratum, probability that an occurrence is kept.
  std::vector<float> weights;
  std::vector<uint32_t> strata;
  std::vector<float> keep;
  // In place of histories; strata are types of nodes then.
  std::optional<WalkData> walks;
};

// Points of the curve of losses, at equal shares of the whole training.
constexpr size_t kCurvePoints = 64;

// Where training is, and what it has done.
struct Progress {
  uint32_t epoch = 0;
  // Users of this epoch that are done, in its order.
  uint32_t user = 0;
  uint64_t pairs = 0;
  // Of one block in each chunk of users: what the loss sums to, and over how many pairs.
  double loss = 0;
  uint64_t loss_pairs = 0;
  // The same by share of the training: a curve that does not depend on when somebody looked.
  std::array<double, kCurvePoints> curve_loss{}, curve_pairs{};
  double cpu_seconds = 0;
};

// The tables, one row an item without padding, and AdaGrad's sum of squares for each row.
struct Tables {
  std::vector<float> input, output, input_squares, output_squares;
};

class Trainer {
 public:
  // @throws IndexError INVALID_ARGUMENT
  Trainer(const Settings& settings, Data data);

  // Goes on to the end of the last epoch, or until `stop`: then the users begun are done first. @return whether all is done
  bool Run(const std::atomic<bool>& stop);
  Progress progress() const;
  uint32_t items() const { return static_cast<uint32_t>(data_.weights.size()); }
  const Settings& settings() const { return settings_; }
  const char* kernel() const { return math_.name; }

  // Neither while Run does.
  Tables Read() const;
  void Write(const Tables& tables, const Progress& progress);
  // One step with a block and negatives of the caller's choice, for tests.
  void Step(const std::vector<uint32_t>& own, const std::vector<uint32_t>& negatives, float rate);
  // The walk that training makes for a walker in an epoch, for tests.
  std::vector<uint32_t> WalkOf(uint32_t epoch, uint32_t walker) const;

 private:
  // Of one thread.
  struct Scratch {
    Scratch(const Settings& settings, size_t items);
    std::vector<uint32_t> own, negatives, mark;
    uint32_t marked = 0;
    std::vector<float> left, right, scores, left_change, right_change;
    // Of walks: nodes that negatives of each type stand against, and how many those are.
    std::vector<uint32_t> contexts_of, negatives_of;
    uint64_t pairs = 0, loss_pairs = 0;
    double loss = 0;
  };
  void Epoch(const std::vector<uint32_t>& order, const std::atomic<bool>& stop);
  void Work(const std::vector<uint32_t>& order, const std::atomic<bool>& stop, std::atomic<uint32_t>& next);
  void User(uint32_t user, float rate, Scratch& scratch, bool measure);
  void Walker(uint32_t walker, float rate, Scratch& scratch, bool measure);
  void Draw(const uint32_t* own, uint32_t count, Random& random, Scratch& scratch) const;
  void DrawForWalk(const uint32_t* own, uint32_t count, Random& random, Scratch& scratch) const;
  void Block(const uint32_t* own, uint32_t count, float rate, Scratch& scratch, bool measure);
  // Scores in scratch become what each adds to the gradient.
  void Gradients(uint32_t own, uint32_t negatives, Scratch& scratch, bool measure) const;
  // The same for a part of a walk. @return its pairs
  uint64_t WalkGradients(const uint32_t* own, uint32_t count, uint32_t negatives, Scratch& scratch, bool measure) const;
  void Apply(std::vector<float>& table, std::vector<float>& squares, uint32_t row, const float* change, float rate);
  // Users, or walkers.
  uint32_t users() const { return walks_ ? walks_->walkers() : static_cast<uint32_t>(data_.starts.size() - 1); }
  std::vector<uint32_t> OrderOf(uint32_t epoch) const;
  // Of the whole training, when this user of the epoch is next.
  double ShareAt(uint32_t user) const;
  float RateAt(uint32_t user) const;

  Settings settings_;
  Data data_;
  std::optional<Walks> walks_;
  const Math& math_;
  Sampler sampler_;
  uint32_t width_;
  std::vector<float> input_, output_, input_squares_, output_squares_;
  mutable std::mutex mutex_;
  Progress progress_;
};

}  // namespace kindred::skip_gram
