// Recall@k over a sample of queries: the mean, how far it may be from that of all queries, and what it cost.
#pragma once
#include <time.h>

#include <cmath>
#include <cstdint>

namespace kindred {

struct MeasuredRecall {
  double recall = -1;          // -1: nothing was asked, or it was cancelled
  double standard_error = 1;   // of the mean; of fewer than two queries nothing is known
  uint32_t queries = 0;
  uint32_t walked = 0;         // of them over graphs; the others were answered by exact scans, whatever ef is
  double cpu_seconds = 0;      // of the thread
};

class RecallSum {
 public:
  RecallSum() : began_(ThreadSeconds()) {}

  void Add(double recall, bool walked) {
    sum_ += recall;
    squares_ += recall * recall;
    queries_++;
    if (walked) walked_++;
  }

  MeasuredRecall Result() const {
    MeasuredRecall result;
    result.queries = queries_;
    result.walked = walked_;
    result.cpu_seconds = ThreadSeconds() - began_;
    if (queries_ == 0) return result;
    result.recall = sum_ / queries_;
    if (queries_ > 1) result.standard_error = std::sqrt(std::fmax(0, squares_ - sum_ * result.recall) / (queries_ - 1.0) / queries_);
    return result;
  }

 private:
  static double ThreadSeconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
  }

  double began_, sum_ = 0, squares_ = 0;
  uint32_t queries_ = 0, walked_ = 0;
};

}  // namespace kindred
