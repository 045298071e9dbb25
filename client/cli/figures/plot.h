// Curves over a common axis, drawn in grey.
#pragma once

#include <string>
#include <vector>

#include "client/cli/figures/canvas.h"

namespace deconvoy::client {

struct Curve {
  std::string name;  // for the legend
  std::vector<double> x, y;
};

struct Plot {
  std::string x_title, y_title;
  std::vector<Curve> curves;  // told apart by their dashes
};

// Axes with numbers at round steps from the least to the greatest value of all curves, the curves in lines of their own
// kind each, and a legend above. REQUIRES: a curve, and in each as many x as y, at least one, all finite.
Canvas Draw(const Plot& plot);
// One below the other. REQUIRES: a plot.
Canvas Draw(const std::vector<Plot>& plots);

}  // namespace deconvoy::client
