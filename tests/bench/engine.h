// A worker's engine without a worker: a case in a backend's memory, and `rl` on it.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/case.h"
#include "worker/methods/method.h"

namespace deconvoy::bench {

// Times the iterations of a run.
class IterationTimer final : public worker::Monitor {
 public:
  // `between` is called after each iteration, outside of its time.
  explicit IterationTimer(std::function<void()> between = [] {});

  absl::Status Iterated(const worker::Iteration& iteration) override;

  // Without the first iterations, which come in with cold caches and fresh pages.
  std::vector<double> AfterWarmUp() const;
  static constexpr int kWarmUp = 2;

  std::vector<double> seconds;  // from the second iteration on; the first has no beginning that could be seen

 private:
  const std::function<void()> between_;
  std::chrono::steady_clock::time_point last_;
  bool started_ = false;
};

// A case's PSF and photons in host memory, z,y,x.
struct Content {
  std::vector<float> psf, photons;
};
Content MakeContent(const Case& options);

// One problem on one domain. Construction opens the domain, makes the OTF and fills y.
class Engine {
 public:
  // `backend` must outlive the engine. Without content y is made plane by plane, in no memory of its own.
  Engine(worker::Backend& backend, const Case& options);
  Engine(worker::Backend& backend, const Case& options, const Content& content);

  double open_seconds() const { return open_seconds_; }  // planning, where no plans are kept
  // `rl` with these iterations and the case's acceleration. The estimate stays in the backend's memory.
  std::unique_ptr<worker::Array> Run(int64_t iterations, worker::Monitor& monitor);
  worker::Ops& ops() { return *ops_; }
  const worker::Otf& otf() const { return *otf_; }
  const worker::Array& measured() const { return *y_; }
  worker::Array& measured_to_fill() { return *y_; }

 private:
  void Open(worker::Backend& backend, const std::vector<float>& psf);

  const Case options_;
  double open_seconds_ = 0;
  std::unique_ptr<worker::Ops> ops_;
  std::unique_ptr<worker::Otf> otf_;
  std::unique_ptr<worker::Array> y_;
};

// `wisdom_folder` as in worker::CpuOptions.
std::unique_ptr<worker::Backend> MakeBackend(int threads, const std::filesystem::path& wisdom_folder = {});

}  // namespace deconvoy::bench
