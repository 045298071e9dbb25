#include "tests/bench/bars.h"

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "client/imageio/image_file.h"
#include "proto/contract/volume_layout.h"
#include "tests/bench/engine.h"
#include "tests/bench/measure.h"
#include "tests/bench/scene.h"
#include "worker/imaging/counts.h"
#include "worker/imaging/frame_statistics.h"

namespace deconvoy::bench {
namespace {

struct Stack {
  Shape3 shape;
  std::vector<float> values;
};

Stack Load(const std::filesystem::path& path) {
  const auto reader = Value(imageio::OpenImage(path));
  const v1::VolumeSpec& spec = reader->spec();
  Stack stack{{spec.shape().z(), spec.shape().y(), spec.shape().x()}, {}};
  const auto plane = static_cast<size_t>(stack.shape.y * stack.shape.x);
  stack.values.resize(plane * static_cast<size_t>(stack.shape.z));
  std::vector<std::byte> raw(plane * static_cast<size_t>(BytesPerVoxel(spec.type())));
  for (int64_t z = 0; z < stack.shape.z; ++z) {
    Check(reader->ReadPlane(0, 0, z, raw));
    worker::ToFloat(raw, spec.type(), std::span(stack.values).subspan(static_cast<size_t>(z) * plane, plane));
  }
  return stack;
}

float AutomaticBackground(const Stack& image) {
  worker::FrameStatistics statistics(image.shape, {});
  const auto plane = static_cast<size_t>(image.shape.y * image.shape.x);
  for (size_t first = 0; first < image.values.size(); first += plane) {
    statistics.AddPlane(std::span(image.values).subspan(first, plane));
  }
  return static_cast<float>(statistics.Finish().automatic_background);
}

Scene LoadScene(const std::filesystem::path& folder) {
  const Stack image = Load(folder / "raw_g15.tif"), psf = Load(folder / "psf.tif");
  return {.shape = image.shape,
          .photons = image.values,
          .truth = {},
          .psf = {psf.values, psf.shape, {psf.shape.z / 2, psf.shape.y / 2, psf.shape.x / 2}},
          .background = AutomaticBackground(image)};
}

// Keeps the I-divergence of each iteration; ends the run when it has come down to `target`.
class DivergenceMonitor final : public worker::Monitor {
 public:
  explicit DivergenceMonitor(std::optional<double> target) : target_(target) {}

  absl::Status Iterated(const worker::Iteration& iteration) override {
    last = iteration.objective.value().value();
    iterations = iteration.done;
    return target_ && last <= *target_ ? absl::CancelledError("reached") : absl::OkStatus();
  }

  double last = 0;
  int64_t iterations = 0;

 private:
  const std::optional<double> target_;
};

ParameterTexts With(const std::string& acceleration, int64_t iterations, bool objective) {
  return {
      {"acceleration", acceleration}, {"iterations", std::to_string(iterations)}, {"objective", objective ? "1" : "0"}};
}

// An iteration reports the divergence of the point it starts from: that of n iterations comes with iteration n + 1.
double DivergenceAfter(SceneRunner& runner, int iterations) {
  DivergenceMonitor monitor(std::nullopt);
  Value(runner.Run(With("none", iterations + 1, true), monitor));
  return monitor.last;
}

// Heavy-ball iterations until the divergence is at most `target`, counted with the one that reports it.
int64_t IterationsTo(SceneRunner& runner, double target, int most) {
  DivergenceMonitor monitor(target);
  const auto run = runner.Run(With("heavy-ball", most, true), monitor);
  if (run.ok() && monitor.last > target) throw std::runtime_error("heavy-ball does not come to the divergence");
  if (!run.ok() && !absl::IsCancelled(run.status())) Check(run.status());
  return monitor.iterations;
}

}  // namespace

nlohmann::json MeasureBars(const BarsOptions& options) {
  if (!std::filesystem::exists(options.folder / "raw_g15.tif")) {
    return {{"available", false}, {"why", options.folder.string() + " is not there (it is not part of the project)"}};
  }
  const Scene scene = LoadScene(options.folder);
  const auto backend = MakeBackend(options.threads);
  SceneRunner runner(*backend, scene, v1::EXTEND);
  const double target = DivergenceAfter(runner, options.plain_iterations);
  const int64_t needed = IterationsTo(runner, target, 2 * options.plain_iterations);
  std::vector<double> plain, heavy_ball;
  const auto time = [&](std::vector<double>& samples, const ParameterTexts& parameters) {
    const auto start = Clock::now();
    Value(runner.Run(parameters));
    samples.push_back(SecondsSince(start));
  };
  for (int i = 0; i < options.repeats; ++i) {
    time(plain, With("none", options.plain_iterations, false));
    time(heavy_ball, With("heavy-ball", needed, false));
  }
  return {{"available", true},
          {"background", scene.background},
          {"plain_iterations", options.plain_iterations},
          {"i_divergence", target},
          {"heavy_ball_iterations", needed},
          {"plain_seconds", plain},
          {"heavy_ball_seconds", heavy_ball},
          {"ratio", Median(plain) / Median(heavy_ball)}};
}

}  // namespace deconvoy::bench
