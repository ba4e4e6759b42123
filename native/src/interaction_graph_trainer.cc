#include "interaction_graph_trainer.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "coded_error.h"
#include "interaction_graph_spectrum.h"

namespace kindred::interaction_graph {

namespace {

// Users of one batch.
constexpr uint32_t kBatch = 32;
// Root mean square of the rows' lengths at the start: pools and scores are then of the order of 1.
constexpr double kStartLength = 0.8;
constexpr float kTiny = 1e-12f;
constexpr uint64_t kOrderStream = 1ull << 40;

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

std::vector<float> Unpadded(const Table& table, uint32_t dims) {
  std::vector<float> out(table.rows() * dims);
  for (size_t row = 0; row < table.rows(); row++) std::memcpy(&out[row * dims], table.row(row), dims * 4ul);
  return out;
}

void Pad(const std::vector<float>& from, uint32_t dims, Table& to) {
  if (from.size() != to.rows() * dims) RefuseArgument("a table is of another size");
  for (size_t row = 0; row < to.rows(); row++) std::memcpy(to.row(row), &from[row * dims], dims * 4ul);
}

template <typename T>
void Shuffle(T* values, uint32_t count, Random& random) {
  for (uint32_t i = count; i > 1; i--) std::swap(values[i - 1], values[random.Below(i)]);
}

}  // namespace

Trainer::Scratch::Scratch(const Settings& settings, uint32_t items, uint32_t width)
    : mark(items), change(width), pooled(kBatch, width), pooled_change(kBatch, width), outputs(settings.negatives, width), output_change(settings.negatives, width) {
  scores.resize(size_t{kBatch} * settings.negatives);
}

Trainer::Trainer(const Settings& settings, Graph graph)
    : settings_(settings),
      graph_(std::move(graph)),
      math_(skip_gram::MathFor(settings.plain)),
      width_(Padded(settings.dims)),
      input_(graph_.items(), width_),
      output_(graph_.items(), width_),
      input_squares_(graph_.items()),
      output_squares_(graph_.items()) {
  if (graph_.seen().empty()) RefuseArgument("nobody has any item");
}

bool Trainer::Run(const std::atomic<bool>& stop) {
  while (progress_.epoch <= settings_.epochs + 1) {
    if (progress_.epoch == 0) {
      if (!Start(stop)) return false;
    } else if (progress_.epoch > settings_.epochs) {
      if (!SmoothInputs(stop)) return false;
    } else {
      if (progress_.user < graph_.users()) Epoch(stop);
      if (progress_.user < graph_.users() || !SmoothEpoch(stop)) return false;
    }
    std::lock_guard<std::mutex> lock(mutex_);
    progress_.epoch++;
    progress_.user = 0;
  }
  return true;
}

Progress Trainer::progress() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return progress_;
}

double Trainer::ShareAt(uint32_t user) const {
  return (progress_.epoch - 1 + user / std::max(1., static_cast<double>(graph_.users()))) / settings_.epochs;
}

bool Trainer::Start(const std::atomic<bool>& stop) {
  Spectrum spectrum;
  double seconds = ThreadSeconds();
  const auto pass = [&](uint32_t passes) {
    const double now = ThreadSeconds();
    std::lock_guard<std::mutex> lock(mutex_);
    progress_.user = static_cast<uint32_t>(uint64_t{graph_.users()} * passes / (settings_.passes + 2));
    progress_.cpu_seconds += now - seconds;
    seconds = now;
  };
  if (!SpectrumOf(graph_, math_, {settings_.dims, settings_.passes, settings_.threads, settings_.seed}, stop, pass, spectrum)) {
    std::lock_guard<std::mutex> lock(mutex_);
    progress_.user = 0;
    return false;
  }
  for (uint32_t item = 0; item < items(); item++) {
    const float root = std::sqrt(graph_.item_degrees()[item] + kDegreeOffset);
    for (uint32_t d = 0; d < settings_.dims; d++) {
      input_.row(item)[d] = spectrum.vectors.row(item)[d] / root;
      output_.row(item)[d] = spectrum.vectors.row(item)[d] * root;
    }
  }
  for (Table* table : {&input_, &output_}) {
    const double length = LengthOf(*table, math_);
    if (length > 0) Scale(*table, kStartLength / length);
  }
  return true;
}

void Trainer::Epoch(const std::atomic<bool>& stop) {
  std::vector<uint32_t> order(graph_.users());
  std::iota(order.begin(), order.end(), 0u);
  Random random = skip_gram::RandomOf(settings_.seed, progress_.epoch, kOrderStream);
  Shuffle(order.data(), graph_.users(), random);
  std::atomic<uint32_t> next{progress_.user};
  OnThreads(settings_.threads, [&] { Work(order, stop, next); });
  std::lock_guard<std::mutex> lock(mutex_);
  progress_.user = std::min(graph_.users(), next.load());
}

void Trainer::Work(const std::vector<uint32_t>& order, const std::atomic<bool>& stop, std::atomic<uint32_t>& next) {
  Scratch scratch(settings_, items(), width_);
  const uint32_t users = graph_.users();
  double seconds = ThreadSeconds();
  while (!stop.load(std::memory_order_relaxed)) {
    // No further than the end, so that `next` never wraps.
    uint32_t from = next.load();
    while (from < users && !next.compare_exchange_weak(from, std::min(users, from + kBatch))) {
    }
    if (from >= users) return;
    const uint32_t end = std::min(users, from + kBatch);
    Random random = skip_gram::RandomOf(settings_.seed, progress_.epoch, from);
    scratch.negatives.clear();
    for (uint32_t n = 0; n < settings_.negatives; n++) scratch.negatives.push_back(graph_.seen()[random.Below(static_cast<uint32_t>(graph_.seen().size()))]);
    size_t examples = 0;
    scratch.examples.resize(kBatch);
    for (uint32_t at = from; at < end; at++) {
      if (graph_.count(order[at]) < 2) continue;
      Divide(order[at], random, scratch, scratch.examples[examples++]);
    }
    scratch.examples.resize(examples);
    const double share = ShareAt(from);
    if (examples > 0) Batch(settings_.rate * static_cast<float>(1 - share), scratch);
    const double now = ThreadSeconds();
    const auto point = std::min(kCurvePoints - 1, static_cast<size_t>(share * kCurvePoints));
    std::lock_guard<std::mutex> lock(mutex_);
    progress_.user = std::max(progress_.user, end);
    progress_.pairs += scratch.pairs;
    progress_.loss += scratch.loss;
    progress_.curve_loss[point] += scratch.loss;
    progress_.curve_pairs[point] += static_cast<double>(scratch.pairs);
    progress_.cpu_seconds += now - seconds;
    seconds = now;
    scratch.pairs = 0;
    scratch.loss = 0;
  }
}

void Trainer::Divide(uint32_t user, Random& random, Scratch& scratch, Example& example) const {
  const uint32_t count = graph_.count(user);
  scratch.history.clear();
  for (uint32_t at = 0; at < count; at++) scratch.history.push_back(graph_.edge(user, at));
  Shuffle(scratch.history.data(), count, random);
  const float share = settings_.least_kept + (settings_.most_kept - settings_.least_kept) * random.Share();
  auto wanted = static_cast<uint32_t>(share * static_cast<float>(count) + random.Share());
  if (random.Share() < settings_.few_share) wanted = 1 + random.Below(settings_.few);
  const uint32_t kept = std::clamp(wanted, 1u, count - 1);
  const uint32_t hidden = std::min(settings_.positives, count - kept);
  example.user = user;
  example.kept.assign(scratch.history.begin(), scratch.history.begin() + kept);
  example.hidden.clear();
  for (uint32_t at = kept; at < kept + hidden; at++) example.hidden.push_back(scratch.history[at].item);
}

// A pool is divided by the root of its squared weights (the root of its count where all are 1): more items are more certain, though not in
// proportion.
float Trainer::NormOf(const Example& example) const {
  double squares = 0;
  for (const Edge& edge : example.kept) squares += static_cast<double>(edge.weight) * edge.weight;
  return static_cast<float>(1 / std::sqrt(squares));
}

void Trainer::Pool(const Example& example, float* pooled) const {
  std::fill(pooled, pooled + width_, 0.f);
  const float norm = NormOf(example);
  for (const Edge& edge : example.kept) math_.add(pooled, input_.row(edge.item), edge.weight * norm, width_);
}

void Trainer::Batch(float rate, Scratch& scratch) {
  const auto users = static_cast<uint32_t>(scratch.examples.size()), negatives = static_cast<uint32_t>(scratch.negatives.size());
  for (uint32_t n = 0; n < negatives; n++) std::memcpy(scratch.outputs.row(n), output_.row(scratch.negatives[n]), width_ * 4ul);
  for (uint32_t at = 0; at < users; at++) Pool(scratch.examples[at], scratch.pooled.row(at));
  math_.dots(scratch.pooled.row(0), users, scratch.outputs.row(0), negatives, width_, scratch.scores.data());
  scratch.factors.clear();
  for (uint32_t at = 0; at < users; at++) Softmax(at, scratch);
  math_.combine(scratch.scores.data(), negatives, 1, users, scratch.outputs.row(0), negatives, width_, scratch.pooled_change.row(0));
  math_.combine(scratch.scores.data(), 1, negatives, negatives, scratch.pooled.row(0), users, width_, scratch.output_change.row(0));
  const float* factor = scratch.factors.data();
  for (uint32_t at = 0; at < users; at++)
    for (const uint32_t item : scratch.examples[at].hidden) math_.add(scratch.pooled_change.row(at), output_.row(item), *factor++, width_);
  for (uint32_t n = 0; n < negatives; n++) Apply(output_, output_squares_, scratch.negatives[n], scratch.output_change.row(n), 1, rate);
  factor = scratch.factors.data();
  for (uint32_t at = 0; at < users; at++) {
    const Example& example = scratch.examples[at];
    for (const uint32_t item : example.hidden) Apply(output_, output_squares_, item, scratch.pooled.row(at), *factor++, rate);
    const float norm = NormOf(example);
    for (const Edge& edge : example.kept) Apply(input_, input_squares_, edge.item, scratch.pooled_change.row(at), norm * edge.weight, rate);
  }
}

// For each positive: softmax of its score against the negatives'. Scores are bounded where they become powers, so that nothing overflows.
void Trainer::Softmax(size_t at, Scratch& scratch) {
  const Example& example = scratch.examples[at];
  const size_t negatives = scratch.negatives.size();
  float* scores = &scratch.scores[at * negatives];
  if (++scratch.marked == 0) {
    std::fill(scratch.mark.begin(), scratch.mark.end(), 0u);
    scratch.marked = 1;
  }
  for (uint32_t e = 0; e < graph_.count(example.user); e++) scratch.mark[graph_.edge(example.user, e).item] = scratch.marked;
  scratch.positive_scores.clear();
  float most = -1e30f;
  for (const uint32_t item : example.hidden) {
    float score;
    math_.dots(scratch.pooled.row(at), 1, output_.row(item), 1, width_, &score);
    scratch.positive_scores.push_back(score);
    most = std::max(most, score);
  }
  for (size_t n = 0; n < negatives; n++) most = std::max(most, scores[n]);
  double sum = 0;
  for (size_t n = 0; n < negatives; n++) {
    scores[n] = scratch.mark[scratch.negatives[n]] == scratch.marked ? 0.f : settings_.negative_weight * std::exp(scores[n] - most);
    sum += scores[n];
  }
  const auto weight = static_cast<float>(std::pow(static_cast<double>(example.hidden.size()), -settings_.user_exponent));
  double shares = 0;
  for (const float score : scratch.positive_scores) {
    const double power = std::exp(std::max(-80.0, static_cast<double>(score) - most));
    scratch.factors.push_back(static_cast<float>(-weight * sum / (sum + power)));
    scratch.loss += std::log1p(sum / power);
    shares += weight / (sum + power);
  }
  for (size_t n = 0; n < negatives; n++) scores[n] *= static_cast<float>(shares);
  scratch.pairs += example.hidden.size();
}

// Descent where a gradient is divided by the usual length of those of its row (RMSprop with one number a row): a step is about as long as
// the rate, whatever the row's popularity. A row's first gradient is its usual one.
void Trainer::Apply(Table& table, std::vector<float>& squares, uint32_t row, const float* change, float factor, float rate) {
  const float square = factor * factor * math_.square(change, width_), before = squares[row];
  if (square == 0) return;
  const float sum = before == 0 ? square + kTiny : settings_.memory * before + (1 - settings_.memory) * square;
  squares[row] = sum;
  math_.add(table.row(row), change, -rate * factor / std::sqrt(sum), width_);
}

Tables Trainer::Read() const { return {Unpadded(input_, settings_.dims), Unpadded(output_, settings_.dims), input_squares_, output_squares_}; }

void Trainer::Write(const Tables& tables, const Progress& progress) {
  if (tables.input_squares.size() != items() || tables.output_squares.size() != items()) RefuseArgument("squares are as many as the items");
  if (progress.epoch > settings_.epochs + 2 || progress.user > graph_.users()) RefuseArgument("the progress is beyond the end");
  Pad(tables.input, settings_.dims, input_);
  Pad(tables.output, settings_.dims, output_);
  input_squares_ = tables.input_squares;
  output_squares_ = tables.output_squares;
  std::lock_guard<std::mutex> lock(mutex_);
  progress_ = progress;
}

void Trainer::Step(const std::vector<Example>& examples, const std::vector<uint32_t>& negatives, float rate) {
  if (examples.empty() || examples.size() > kBatch || negatives.size() > settings_.negatives) RefuseArgument("a batch has 1 to 32 users, and at most `negatives`");
  for (const uint32_t row : negatives)
    if (row >= items()) RefuseArgument("a row is beyond the items");
  for (const Example& example : examples) {
    if (example.user >= graph_.users() || example.kept.empty()) RefuseArgument("an example has a user, and something kept");
    for (const Edge& edge : example.kept)
      if (edge.item >= items()) RefuseArgument("a row is beyond the items");
    for (const uint32_t row : example.hidden)
      if (row >= items()) RefuseArgument("a row is beyond the items");
  }
  Scratch scratch(settings_, items(), width_);
  scratch.examples = examples;
  scratch.negatives = negatives;
  Batch(rate, scratch);
  std::lock_guard<std::mutex> lock(mutex_);
  progress_.pairs += scratch.pairs;
  progress_.loss += scratch.loss;
}

}  // namespace kindred::interaction_graph
