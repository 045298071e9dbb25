// How objective and residuals of a job went on over its iterations.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/cli/figures/canvas.h"
#include "client/cli/figures/plot.h"
#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy::client {

// |y - b - H x| over |y - b|; nothing where the method does not tell it.
std::optional<double> RelativeResidual(const v1::ObjectiveValue& value);

// Over the iterations: `objective`; `relative residual` where the method tells it; `primal residual` and `dual
// residual`, relative too, of a method that splits the problem. Empty where the job has kept none.
std::vector<Curve> RunCurvesOf(const v1::Job& job);

// A line for each of them: `objective: 100 after iteration 1, 10 after 4  █▆▃▁`, the curve in at most 40 blocks.
std::vector<std::string> RunCurveLines(const v1::Job& job);

// The objective above, what is relative below it. REQUIRES: the job has kept them.
Canvas DrawRunCurves(const v1::Job& job);

}  // namespace deconvoy::client
