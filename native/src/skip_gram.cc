#include "skip_gram.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <thread>

#include "coded_error.h"

namespace kindred::skip_gram {

namespace {

// Users that a thread takes at a time; where training stops, chunks begun are done.
constexpr uint32_t kChunk = 32;
// Times that a negative which is one of the user's own is drawn anew before the block goes on with fewer.
constexpr int kDraws = 16;
constexpr float kTiny = 1e-8f;
// Streams of random numbers beside those of users.
constexpr uint64_t kOrderStream = 1ull << 40, kStartStream = 2ull << 40;

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

Data Checked(Data data) {
  const size_t items = data.weights.size();
  if (data.strata.size() != items || data.keep.size() != items) RefuseArgument("weights, strata and keep are as many as the items");
  if (data.starts.empty() || data.starts[0] != 0 || data.starts.back() != data.rows.size()) RefuseArgument("starts are those of the rows");
  if (!std::is_sorted(data.starts.begin(), data.starts.end())) RefuseArgument("starts never fall");
  for (const uint32_t row : data.rows)
    if (row >= items) RefuseArgument("a row is beyond the items");
  for (size_t i = 0; i < items; i++) {
    if (!(data.weights[i] >= 0 && data.weights[i] <= 1e30f)) RefuseArgument("weights are finite, from 0");
    if (!(data.keep[i] >= 0 && data.keep[i] <= 1)) RefuseArgument("keep is from 0 to 1");
    // Types of nodes may be more than there are nodes.
    if (!data.walks && data.strata[i] >= items) RefuseArgument("strata are numbered below the count of items");
  }
  return data;
}

std::optional<Walks> WalksOf(Data& data) {
  if (!data.walks) return std::nullopt;
  for (const uint32_t type : data.strata)
    if (type >= data.walks->types) RefuseArgument("a node's stratum is its type");
  return std::optional<Walks>(std::in_place, std::move(*data.walks), static_cast<uint32_t>(data.weights.size()));
}

template <typename T>
void Shuffle(T* values, uint32_t count, Random& random) {
  for (uint32_t i = count; i > 1; i--) std::swap(values[i - 1], values[random.Below(i)]);
}

// ln(1 + e^x) for what the loss adds up.
double SoftPlus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

std::vector<float> Unpadded(const std::vector<float>& table, uint32_t dims, uint32_t width) {
  std::vector<float> out(table.size() / width * dims);
  for (size_t row = 0; row * width < table.size(); row++) std::memcpy(&out[row * dims], &table[row * width], dims * 4ul);
  return out;
}

void Pad(const std::vector<float>& from, uint32_t dims, uint32_t width, std::vector<float>& to) {
  if (from.size() != to.size() / width * dims) RefuseArgument("a table is of another size");
  for (size_t row = 0; row * width < to.size(); row++) std::memcpy(&to[row * width], &from[row * dims], dims * 4ul);
}

}  // namespace

Trainer::Scratch::Scratch(const Settings& settings, size_t items) : negatives(settings.negatives), mark(items) {
  const size_t width = Padded(settings.dims), many = size_t{settings.block} + settings.negatives;
  negatives.clear();
  left.resize(settings.block * width);
  left_change.resize(settings.block * width);
  right.resize(many * width);
  right_change.resize(many * width);
  scores.resize(settings.block * many);
}

Trainer::Trainer(const Settings& settings, Data data)
    : settings_(settings),
      data_(Checked(std::move(data))),
      walks_(WalksOf(data_)),
      math_(MathFor(settings.plain)), sampler_(data_.weights, data_.strata), width_(Padded(settings.dims)) {
  const size_t size = size_t{items()} * width_;
  input_.resize(size);
  output_.resize(size);
  input_squares_.resize(items());
  output_squares_.resize(items());
  Random random = RandomOf(settings.seed, 0, kStartStream);
  for (size_t row = 0; row < items(); row++)
    for (uint32_t d = 0; d < settings.dims; d++) input_[row * width_ + d] = (random.Share() - 0.5f) / static_cast<float>(settings.dims);
}

bool Trainer::Run(const std::atomic<bool>& stop) {
  while (progress_.epoch < settings_.epochs) {
    Epoch(OrderOf(progress_.epoch), stop);
    std::lock_guard<std::mutex> lock(mutex_);
    if (progress_.user < users()) return false;
    progress_.epoch++;
    progress_.user = 0;
  }
  return true;
}

Progress Trainer::progress() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return progress_;
}

std::vector<uint32_t> Trainer::OrderOf(uint32_t epoch) const {
  std::vector<uint32_t> order(users());
  std::iota(order.begin(), order.end(), 0u);
  Random random = RandomOf(settings_.seed, epoch, kOrderStream);
  Shuffle(order.data(), static_cast<uint32_t>(order.size()), random);
  return order;
}

double Trainer::ShareAt(uint32_t user) const {
  return (progress_.epoch + user / static_cast<double>(users())) / settings_.epochs;
}

float Trainer::RateAt(uint32_t user) const { return static_cast<float>(settings_.rate + (settings_.last_rate - settings_.rate) * ShareAt(user)); }

void Trainer::Epoch(const std::vector<uint32_t>& order, const std::atomic<bool>& stop) {
  std::atomic<uint32_t> next{progress_.user};
  std::vector<std::thread> threads;
  std::atomic<bool> failed{false};
  const auto work = [&] {
    // Only memory can be refused here.
    try {
      Work(order, stop, next);
    } catch (const std::bad_alloc&) {
      failed = true;
    }
  };
  try {
    for (uint32_t t = 1; t < settings_.threads; t++) threads.emplace_back(work);
  } catch (const std::system_error&) {
    // Fewer threads do the same work.
  }
  work();
  for (std::thread& thread : threads) thread.join();
  if (failed) throw std::bad_alloc();
  std::lock_guard<std::mutex> lock(mutex_);
  progress_.user = std::min<uint32_t>(next.load(), static_cast<uint32_t>(order.size()));
}

void Trainer::Work(const std::vector<uint32_t>& order, const std::atomic<bool>& stop, std::atomic<uint32_t>& next) {
  Scratch scratch(settings_, items());
  const auto users = static_cast<uint32_t>(order.size());
  double seconds = ThreadSeconds();
  while (!stop.load(std::memory_order_relaxed)) {
    // No further than the end, so that `next` never wraps.
    uint32_t from = next.load();
    while (from < users && !next.compare_exchange_weak(from, std::min(users, from + kChunk))) {
    }
    if (from >= users) return;
    const uint32_t end = std::min(users, from + kChunk);
    const float rate = RateAt(from);
    const auto point = std::min(kCurvePoints - 1, static_cast<size_t>(ShareAt(from) * kCurvePoints));
    for (uint32_t at = from; at < end; at++) walks_ ? Walker(order[at], rate, scratch, at == from) : User(order[at], rate, scratch, at == from);
    const double now = ThreadSeconds();
    std::lock_guard<std::mutex> lock(mutex_);
    progress_.user = std::max(progress_.user, end);
    progress_.pairs += scratch.pairs;
    progress_.loss += scratch.loss;
    progress_.loss_pairs += scratch.loss_pairs;
    progress_.curve_loss[point] += scratch.loss;
    progress_.curve_pairs[point] += static_cast<double>(scratch.loss_pairs);
    progress_.cpu_seconds += now - seconds;
    seconds = now;
    scratch.pairs = scratch.loss_pairs = 0;
    scratch.loss = 0;
  }
}

void Trainer::User(uint32_t user, float rate, Scratch& scratch, bool measure) {
  const uint32_t *from = &data_.rows[data_.starts[user]], *end = data_.rows.data() + data_.starts[user + 1];
  Random random = RandomOf(settings_.seed, progress_.epoch, user);
  scratch.own.clear();
  if (++scratch.marked == 0) {
    std::fill(scratch.mark.begin(), scratch.mark.end(), 0u);
    scratch.marked = 1;
  }
  for (const uint32_t* row = from; row < end; row++) {
    scratch.mark[*row] = scratch.marked;
    if (data_.keep[*row] >= 1 || random.Share() < data_.keep[*row]) scratch.own.push_back(*row);
  }
  const auto count = static_cast<uint32_t>(scratch.own.size());
  if (count < 2) return;
  Shuffle(scratch.own.data(), count, random);
  // Blocks of about equal size: a last one of one item would have no pair.
  const uint32_t blocks = (count + settings_.block - 1) / settings_.block;
  for (uint32_t b = 0, at = 0; b < blocks; b++) {
    const uint32_t size = (count - at) / (blocks - b);
    Draw(&scratch.own[at], size, random, scratch);
    if (size >= 2) Block(&scratch.own[at], size, rate, scratch, measure && b == 0);
    at += size;
  }
}

void Trainer::Walker(uint32_t walker, float rate, Scratch& scratch, bool measure) {
  Random random = RandomOf(settings_.seed, progress_.epoch, walker);
  walks_->Walk(walker, random, scratch.own);
  const auto count = static_cast<uint32_t>(scratch.own.size());
  const uint32_t blocks = (count + settings_.block - 1) / settings_.block;
  for (uint32_t b = 0, at = 0; b < blocks; b++) {
    const uint32_t size = (count - at) / (blocks - b);
    if (size >= 2) {
      DrawForWalk(&scratch.own[at], size, random, scratch);
      Block(&scratch.own[at], size, rate, scratch, measure && b == 0);
    }
    at += size;
  }
}

// Nodes of the block itself are never negatives of it. Where they are typed, each node of the block in turn has one of its own type, so that a
// type has as many as it has nodes here.
void Trainer::DrawForWalk(const uint32_t* own, uint32_t count, Random& random, Scratch& scratch) const {
  if (++scratch.marked == 0) {
    std::fill(scratch.mark.begin(), scratch.mark.end(), 0u);
    scratch.marked = 1;
  }
  for (uint32_t i = 0; i < count; i++) scratch.mark[own[i]] = scratch.marked;
  scratch.negatives.clear();
  for (uint32_t n = 0; n < settings_.negatives; n++)
    for (int tries = 0; tries < kDraws; tries++) {
      const uint32_t drawn = walks_->data().typed_negatives ? sampler_.Like(own[n % count], random) : sampler_.Any(random);
      if (scratch.mark[drawn] == scratch.marked) continue;
      scratch.negatives.push_back(drawn);
      break;
    }
}

void Trainer::Draw(const uint32_t* own, uint32_t count, Random& random, Scratch& scratch) const {
  scratch.negatives.clear();
  for (uint32_t n = 0; n < settings_.negatives; n++) {
    const bool alike = settings_.strata_share > 0 && random.Share() < settings_.strata_share;
    for (int tries = 0; tries < kDraws; tries++) {
      // A stratum that the user has nearly all of is given up half-way.
      const uint32_t drawn = alike && tries < kDraws / 2 ? sampler_.Like(own[random.Below(count)], random) : sampler_.Any(random);
      if (scratch.mark[drawn] == scratch.marked) continue;
      scratch.negatives.push_back(drawn);
      break;
    }
  }
}

void Trainer::Block(const uint32_t* own, uint32_t count, float rate, Scratch& scratch, bool measure) {
  const auto negatives = static_cast<uint32_t>(scratch.negatives.size());
  const uint32_t many = count + negatives;
  const size_t bytes = width_ * 4ul;
  const auto right_of = [&](uint32_t j) { return j < count ? own[j] : scratch.negatives[j - count]; };
  for (uint32_t i = 0; i < count; i++) std::memcpy(&scratch.left[i * size_t{width_}], &input_[size_t{own[i]} * width_], bytes);
  for (uint32_t j = 0; j < many; j++) std::memcpy(&scratch.right[j * size_t{width_}], &output_[size_t{right_of(j)} * width_], bytes);
  math_.dots(scratch.left.data(), count, scratch.right.data(), many, width_, scratch.scores.data());
  if (walks_)
    scratch.pairs += WalkGradients(own, count, negatives, scratch, measure);
  else {
    Gradients(count, negatives, scratch, measure);
    scratch.pairs += uint64_t{count} * (count - 1);
  }
  math_.combine(scratch.scores.data(), many, 1, count, scratch.right.data(), many, width_, scratch.left_change.data());
  math_.combine(scratch.scores.data(), 1, many, many, scratch.left.data(), count, width_, scratch.right_change.data());
  for (uint32_t i = 0; i < count; i++) Apply(input_, input_squares_, own[i], &scratch.left_change[i * size_t{width_}], rate);
  for (uint32_t j = 0; j < many; j++) Apply(output_, output_squares_, right_of(j), &scratch.right_change[j * size_t{width_}], rate);
}

void Trainer::Gradients(uint32_t own, uint32_t negatives, Scratch& scratch, bool measure) const {
  const uint32_t many = own + negatives;
  // Each input row has own - 1 pairs, and negatives that together weigh negative_weight for each of them.
  const float weight = negatives == 0 ? 0.f : settings_.negative_weight * static_cast<float>(own - 1) / static_cast<float>(negatives);
  float* scores = scratch.scores.data();
  if (measure) {
    for (uint32_t i = 0; i < own; i++)
      for (uint32_t j = 0; j < many; j++) {
        const double score = scores[size_t{i} * many + j];
        if (i != j) scratch.loss += j < own ? SoftPlus(-score) : weight * SoftPlus(score);
      }
    scratch.loss_pairs += uint64_t{own} * (own - 1);
  }
  math_.sigmoids(scores, size_t{own} * many);
  for (uint32_t i = 0; i < own; i++) {
    float* row = scores + size_t{i} * many;
    for (uint32_t j = 0; j < own; j++) row[j] = 1.f - row[j];
    row[i] = 0;
    for (uint32_t j = own; j < many; j++) row[j] *= -weight;
  }
}

uint64_t Trainer::WalkGradients(const uint32_t* own, uint32_t count, uint32_t negatives, Scratch& scratch, bool measure) const {
  const uint32_t many = count + negatives, window = walks_->data().window, types = walks_->data().types;
  const bool typed = walks_->data().typed_negatives;
  // Untyped negatives stand against contexts of all types.
  const auto group_of = [&](uint32_t node) { return typed ? data_.strata[node] : 0u; };
  scratch.negatives_of.assign(types, 0);
  for (const uint32_t node : scratch.negatives) scratch.negatives_of[group_of(node)]++;
  math_.sigmoids(scratch.scores.data(), size_t{count} * many);
  uint64_t pairs = 0;
  double loss = 0;
  for (uint32_t i = 0; i < count; i++) {
    float* row = &scratch.scores[size_t{i} * many];
    scratch.contexts_of.assign(types, 0);
    for (uint32_t j = 0; j < count; j++) {
      const uint32_t apart = i < j ? j - i : i - j;
      const bool pair = apart <= window && own[i] != own[j] && walks_->IsContext(data_.strata[own[j]], data_.strata[own[i]]);
      if (pair) {
        pairs++;
        scratch.contexts_of[group_of(own[j])]++;
        if (measure) loss -= std::log(std::max(row[j], kTiny));
      }
      row[j] = pair ? 1.f - row[j] : 0.f;
    }
    for (uint32_t j = count; j < many; j++) {
      const uint32_t group = group_of(scratch.negatives[j - count]);
      // Together they weigh negative_weight for each context of their type.
      const float weight = settings_.negative_weight * static_cast<float>(scratch.contexts_of[group]) / static_cast<float>(scratch.negatives_of[group]);
      if (measure) loss -= weight * std::log(std::max(1.f - row[j], kTiny));
      row[j] *= -weight;
    }
  }
  if (measure) {
    scratch.loss += loss;
    scratch.loss_pairs += pairs;
  }
  return pairs;
}

void Trainer::Apply(std::vector<float>& table, std::vector<float>& squares, uint32_t row, const float* change, float rate) {
  float step = rate;
  if (settings_.adagrad) {
    const float square = math_.square(change, width_) / static_cast<float>(settings_.dims);
    const float sum = squares[row] + square;
    squares[row] = sum;
    step = rate / std::sqrt(sum + kTiny);
  }
  math_.add(&table[size_t{row} * width_], change, step, width_);
}

Tables Trainer::Read() const {
  return {Unpadded(input_, settings_.dims, width_), Unpadded(output_, settings_.dims, width_), input_squares_, output_squares_};
}

void Trainer::Write(const Tables& tables, const Progress& progress) {
  if (tables.input_squares.size() != items() || tables.output_squares.size() != items()) RefuseArgument("squares are as many as the items");
  if (progress.epoch > settings_.epochs || progress.user > users()) RefuseArgument("the progress is beyond the end");
  Pad(tables.input, settings_.dims, width_, input_);
  Pad(tables.output, settings_.dims, width_, output_);
  input_squares_ = tables.input_squares;
  output_squares_ = tables.output_squares;
  std::lock_guard<std::mutex> lock(mutex_);
  progress_ = progress;
}

void Trainer::Step(const std::vector<uint32_t>& own, const std::vector<uint32_t>& negatives, float rate) {
  if (own.size() < 2 || own.size() > settings_.block || negatives.size() > settings_.negatives) RefuseArgument("a block has 2 items to `block`, and at most `negatives`");
  for (const auto* rows : {&own, &negatives})
    for (const uint32_t row : *rows)
      if (row >= items()) RefuseArgument("a row is beyond the items");
  Scratch scratch(settings_, items());
  scratch.negatives = negatives;
  Block(own.data(), static_cast<uint32_t>(own.size()), rate, scratch, true);
  std::lock_guard<std::mutex> lock(mutex_);
  progress_.pairs += scratch.pairs;
  progress_.loss += scratch.loss;
  progress_.loss_pairs += scratch.loss_pairs;
}

std::vector<uint32_t> Trainer::WalkOf(uint32_t epoch, uint32_t walker) const {
  if (!walks_ || walker >= walks_->walkers()) RefuseArgument("there is no such walker");
  Random random = RandomOf(settings_.seed, epoch, walker);
  std::vector<uint32_t> nodes;
  walks_->Walk(walker, random, nodes);
  return nodes;
}

}  // namespace kindred::skip_gram
