#include "client/cli/run_curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "proto/contract/error.h"

namespace deconvoy::client {
namespace {

constexpr int kSparkColumns = 40;

template <typename ValueOf>
Curve CurveOf(const v1::Job& job, std::string name, const ValueOf& value_of) {
  Curve curve{.name = std::move(name), .x = {}, .y = {}};
  for (const v1::ObjectiveValue& value : job.objective()) {
    curve.x.push_back(value.iteration());
    curve.y.push_back(value_of(value));
  }
  return curve;
}

// In at most kSparkColumns blocks, the lowest value the lowest block.
std::string Spark(const std::vector<double>& values) {
  constexpr std::array<const char*, 8> kBlocks = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const int last = static_cast<int>(values.size()) - 1, columns = std::min(last + 1, kSparkColumns);
  std::string text;
  for (int i = 0; i < columns; ++i) {
    const double value = values[static_cast<size_t>(columns > 1 ? i * last / (columns - 1) : 0)];
    const double share = *most > *least ? (value - *least) / (*most - *least) : 0;
    text += kBlocks[static_cast<size_t>(std::clamp(share, 0.0, 1.0) * 7.999)];
  }
  return text;
}

}  // namespace

std::optional<double> RelativeResidual(const v1::ObjectiveValue& value) {
  if (!(value.data_squares() > 0)) return std::nullopt;
  return std::sqrt(value.residual_squares() / value.data_squares());
}

std::vector<Curve> RunCurvesOf(const v1::Job& job) {
  std::vector<Curve> curves;
  const auto& told = job.objective();
  if (told.empty()) return curves;
  curves.push_back(CurveOf(job, "objective", [](const auto& value) { return value.value(); }));
  if (std::ranges::all_of(told, [](const auto& value) { return RelativeResidual(value).has_value(); })) {
    curves.push_back(CurveOf(job, "relative residual", [](const auto& value) { return *RelativeResidual(value); }));
  }
  if (std::ranges::any_of(told, [](const auto& value) { return value.primal_squares() + value.dual_squares() > 0; })) {
    curves.push_back(
        CurveOf(job, "primal residual", [](const auto& value) { return std::sqrt(value.primal_squares()); }));
    curves.push_back(CurveOf(job, "dual residual", [](const auto& value) { return std::sqrt(value.dual_squares()); }));
  }
  return curves;
}

std::vector<std::string> RunCurveLines(const v1::Job& job) {
  std::vector<std::string> lines;
  for (const Curve& curve : RunCurvesOf(job)) {
    lines.push_back(fmt::format("{}: {:.6g} after iteration {}, {:.6g} after {}  {}", curve.name, curve.y.front(),
                                curve.x.front(), curve.y.back(), curve.x.back(), Spark(curve.y)));
  }
  return lines;
}

Canvas DrawRunCurves(const v1::Job& job) {
  std::vector<Curve> curves = RunCurvesOf(job);
  std::vector<Plot> plots = {{.x_title = "iteration", .y_title = "objective", .curves = {curves.front()}}};
  plots[0].curves[0].name = Printable(job.name());
  curves.erase(curves.begin());
  if (!curves.empty()) {
    plots.push_back({.x_title = "iteration", .y_title = "relative", .curves = std::move(curves)});
  }
  return Draw(plots);
}

}  // namespace deconvoy::client
