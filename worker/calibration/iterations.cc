#include "worker/calibration/iterations.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "proto/contract/status_macros.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kLastOfEach = 8;
constexpr double kGridStep = 1.15;
constexpr int64_t kLeastTried = 8;
constexpr int64_t kPastLowest = 2;     // times its iterations
constexpr int64_t kFarPastLowest = 6;  // likewise
constexpr double kTurned = 0.05;       // of the fall
constexpr double kSettled = 1e-3;      // of the estimate, per iteration

// How far an estimate still moves.
class Movement {
 public:
  explicit Movement(Ops& ops) : ops_(ops) {}

  // |x_k - x_j| / |x_k| / (k - j), j being the iteration that this was asked for last; 1 the first time.
  absl::StatusOr<double> PerIteration(const Iteration& iteration) {
    const Array& x = iteration.estimate;
    ASSIGN_OR_RETURN(const double squares, ops_.Dot(x, x, x.box()));
    double moved = 1;
    if (before_) {
      ASSIGN_OR_RETURN(const double product, ops_.Dot(x, *before_, x.box()));
      const double difference = std::max(squares - 2 * product + squares_before_, 0.0);
      if (squares > 0) moved = std::sqrt(difference / squares) / static_cast<double>(iteration.done - done_before_);
    } else {
      ASSIGN_OR_RETURN(before_, ops_.Allocate(x.box()));
    }
    RETURN_IF_ERROR(ops_.Copy(x, x.box(), *before_));
    squares_before_ = squares;
    done_before_ = iteration.done;
    return moved;
  }

 private:
  Ops& ops_;
  std::unique_ptr<Array> before_;
  double squares_before_ = 0;
  int64_t done_before_ = 0;
};

// Scores the estimate at the iterations of the grid, and ends the run when the curve has turned or nothing moves.
class Scoring : public Monitor {
 public:
  Scoring(const Judge& judge, std::vector<int64_t> grid, Monitor& listener)
      : judge_(judge), grid_(std::move(grid)), listener_(listener), movement_(*judge.problem().ops) {}

  absl::Status Iterated(const Iteration& iteration) override {
    RETURN_IF_ERROR(listener_.Iterated(iteration));
    if (scores_.size() == grid_.size() || iteration.done != grid_[scores_.size()]) return absl::OkStatus();
    ASSIGN_OR_RETURN(const double score, judge_.Score(iteration.estimate));
    scores_.push_back(score);
    ASSIGN_OR_RETURN(const double moved, movement_.PerIteration(iteration));
    over_ = HasTurned() || moved < kSettled;
    return over_ ? absl::CancelledError("more iterations tell nothing new") : absl::OkStatus();
  }

  bool hears_curve() const override { return false; }
  bool over() const { return over_; }

  void Report(v1::Calibration& calibration) const {
    for (size_t i = 0; i < scores_.size(); ++i) {
      v1::CalibrationCandidate& candidate = *calibration.add_candidates();
      candidate.set_value(std::to_string(grid_[i]));
      candidate.set_score(scores_[i]);
    }
  }

 private:
  bool HasTurned() const {
    const auto lowest = std::min_element(scores_.begin(), scores_.end());
    const int64_t here = grid_[scores_.size() - 1], best = grid_[static_cast<size_t>(lowest - scores_.begin())];
    if (here < kLeastTried || here < kPastLowest * best) return false;
    return here >= kFarPastLowest * best || scores_.back() - *lowest >= kTurned * (scores_.front() - *lowest);
  }

  const Judge& judge_;
  const std::vector<int64_t> grid_;
  Monitor& listener_;
  Movement movement_;
  std::vector<double> scores_;
  bool over_ = false;
};

absl::StatusOr<Parameters> WithIterations(const Method& method, const Parameters& parameters, int64_t iterations) {
  std::map<std::string, std::string> texts(parameters.texts().begin(), parameters.texts().end());
  texts[std::string(kIterations)] = std::to_string(iterations);
  return ResolveParameters(method.description(), texts);
}

}  // namespace

std::vector<int64_t> TriedIterations(int64_t most) {
  std::vector<int64_t> tried;
  for (int64_t k = 1; k < most;) {
    tried.push_back(k);
    k = k < kLastOfEach ? k + 1 : std::llround(kGridStep * static_cast<double>(k));
  }
  tried.push_back(most);
  return tried;
}

absl::StatusOr<v1::Calibration> CalibrateIterations(const Judge& judge, const Method& method,
                                                    const Parameters& parameters, Monitor& listener, int64_t most) {
  ASSIGN_OR_RETURN(const Parameters tried, WithIterations(method, parameters, most));
  Scoring scoring(judge, TriedIterations(most), listener);
  const auto run = method.Run(judge.problem(), tried, scoring);
  if (!run.ok() && !scoring.over()) return run.status();
  v1::Calibration calibration;
  calibration.set_parameter(std::string(kIterations));
  calibration.set_criterion(judge.criterion());
  scoring.Report(calibration);
  return calibration;
}

}  // namespace deconvoy::worker
