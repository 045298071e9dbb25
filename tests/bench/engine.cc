#include "tests/bench/engine.h"

#include <utility>

#include "tests/bench/measure.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/methods/registry.h"

namespace deconvoy::bench {

IterationTimer::IterationTimer(std::function<void()> between) : between_(std::move(between)) {}

absl::Status IterationTimer::Iterated(const worker::Iteration& /*iteration*/) {
  if (started_) seconds.push_back(SecondsSince(last_));
  started_ = true;
  between_();
  last_ = Clock::now();
  return absl::OkStatus();
}

std::vector<double> IterationTimer::AfterWarmUp() const {
  constexpr size_t kUncounted = kWarmUp - 1;  // the first iteration is not among `seconds`
  if (seconds.size() <= kUncounted) return {};
  return {seconds.begin() + kUncounted, seconds.end()};
}

Content MakeContent(const Case& options) {
  Content content{MakePsf(ToShape(options.psf), options.psf_kind == "symmetric"), {}};
  content.photons.resize(static_cast<size_t>(MeasuredShape(options).voxels()));
  uint32_t state = kPatternSeed;
  FillPattern(content.photons, state);
  return content;
}

Engine::Engine(worker::Backend& backend, const Case& options) : options_(options) {
  Open(backend, MakePsf(ToShape(options.psf), options.psf_kind == "symmetric"));
  UploadPattern(*ops_, *y_);
}

Engine::Engine(worker::Backend& backend, const Case& options, const Content& content) : options_(options) {
  Open(backend, content.psf);
  Check(ops_->Upload(content.photons, y_->box(), *y_));
}

void Engine::Open(worker::Backend& backend, const std::vector<float>& psf) {
  const auto start = Clock::now();
  ops_ = Value(backend.Open(PaddedShape(options_)));
  open_seconds_ = SecondsSince(start);
  const Shape3 shape = ToShape(options_.psf);
  otf_ = Value(ops_->MakeOtf(psf, shape, {shape.z / 2, shape.y / 2, shape.x / 2}));
  y_ = Value(ops_->Allocate({{}, MeasuredShape(options_)}));
}

std::unique_ptr<worker::Array> Engine::Run(int64_t iterations, worker::Monitor& monitor) {
  const worker::Method& rl = *worker::FindMethod("rl");
  const auto parameters = Value(ResolveParameters(rl.description(), {{"iterations", std::to_string(iterations)},  //
                                                                     {"acceleration", options_.acceleration}}));
  const worker::Problem problem{.ops = ops_.get(),
                                .otf = otf_.get(),
                                .measured = y_.get(),
                                .mask = nullptr,
                                .previous = nullptr,
                                .boundary = BoundaryOf(options_),
                                .background = kPatternBackground,
                                .mean = kPatternMean};
  return Value(rl.Run(problem, parameters, monitor));
}

std::unique_ptr<worker::Backend> MakeBackend(int threads, const std::filesystem::path& wisdom_folder) {
  return worker::MakeCpuBackend({.threads = threads, .wisdom_folder = wisdom_folder});
}

}  // namespace deconvoy::bench
