// When a search must answer with what it has, or stop because its index is being closed.
#pragma once
#include <atomic>
#include <chrono>

namespace kindred {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  Deadline() = default;
  // 0: none.
  static Deadline After(double milliseconds) {
    Deadline deadline;
    if (milliseconds > 0 && milliseconds < 1e9)
      deadline.at_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double, std::milli>(milliseconds));
    return deadline;
  }
  Deadline Or(const std::atomic<bool>* cancelled) const {
    Deadline both = *this;
    both.cancelled_ = cancelled;
    return both;
  }
  // Looks at the clock: to be asked every few microseconds of work, not for each vector.
  bool Passed() const {
    return (cancelled_ != nullptr && cancelled_->load(std::memory_order_relaxed)) || (at_ != Clock::time_point::max() && Clock::now() >= at_);
  }

 private:
  Clock::time_point at_ = Clock::time_point::max();
  const std::atomic<bool>* cancelled_ = nullptr;
};

}  // namespace kindred
