// Heavy-ball against plain iterations on simulated wide-field bars (dvbars, not part of the project): the time in which
// each comes to the I-divergence of so many plain iterations.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace deconvoy::bench {

struct BarsOptions {
  std::filesystem::path folder = "../shared/data/dvbars";  // with raw_g15.tif and psf.tif
  int plain_iterations = 100;
  int repeats = 5;
  int threads = 2;
};

// `heavy_ball_iterations` that reach the divergence, seconds of both (samples and medians) and `ratio`, plain over
// heavy-ball, of the medians. Times are those of runs that do not compute the divergence, in turn.
// {"available": false, "why"} where the files are not there.
nlohmann::json MeasureBars(const BarsOptions& options);

}  // namespace deconvoy::bench
