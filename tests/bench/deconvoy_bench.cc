// deconvoy-bench: what an iteration of Richardson-Lucy costs on this machine.
//
// One case is a measured volume, a PSF and a boundary. Its iterations are timed in turn with four 3-D transforms of
// FFTW at the same padded size on the same threads; medians and their ratio are printed as a table or as JSON. Memory
// is the growth of the resident set while the method runs.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "proto/contract/tile_plan.h"
#include "tests/bench/fftw_baseline.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/methods/registry.h"

namespace deconvoy::bench {
namespace {

using worker::Ops;
using Clock = std::chrono::steady_clock;

double Seconds(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

int64_t ResidentBytes() {
  std::ifstream stream("/proc/self/statm");
  int64_t total = 0, resident = 0;
  stream >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

struct Options {
  std::vector<int64_t> shape = {64, 512, 512};
  std::vector<int64_t> psf = {61, 61, 61};
  std::vector<int64_t> padded;
  std::string boundary = "extend";
  std::string acceleration = "heavy-ball";
  int threads = 2;
  int repeats = 7;
  bool baseline = true;
  std::string wisdom;
  std::string json;
};

Shape3 ToShape(const std::vector<int64_t>& zyx) {
  return {zyx[0], zyx[1], zyx[2]};
}

Shape3 PaddedShape(const Options& options, v1::Boundary boundary) {
  if (!options.padded.empty()) return ToShape(options.padded);
  return deconvoy::PaddedShape(ToShape(options.shape), ToShape(options.psf), boundary);
}

// An off-centre Gaussian with long tails.
std::vector<float> MakePsf(const Shape3& shape) {
  std::vector<float> psf;
  psf.reserve(static_cast<size_t>(shape.voxels()));
  const auto square = [](int64_t i, int64_t n) {
    const double d = (static_cast<double>(i) - static_cast<double>(n / 2)) / std::max(1.0, static_cast<double>(n) / 8);
    return d * d;
  };
  double sum = 0;
  for (int64_t z = 0; z < shape.z; ++z) {
    for (int64_t y = 0; y < shape.y; ++y) {
      for (int64_t x = 0; x < shape.x; ++x) {
        const double r = square(z, shape.z) + square(y, shape.y) + square(x, shape.x);
        psf.push_back(static_cast<float>(std::exp(-r / 2) + 1e-4 / (1 + r)));
        sum += psf.back();
      }
    }
  }
  for (float& value : psf) value = static_cast<float>(value / sum);
  return psf;
}

// Photons of a patterned specimen, plane by plane, so that no second copy of the volume inflates the memory.
void UploadPattern(Ops& ops, worker::Array& y) {
  const Box3& box = y.box();
  std::vector<float> plane(static_cast<size_t>(box.shape.y * box.shape.x));
  uint32_t state = 1;
  for (int64_t z = 0; z < box.shape.z; ++z) {
    for (float& value : plane) {
      state = state * 1664525U + 1013904223U;
      value = static_cast<float>(state >> 24U) + ((state >> 16U) % 97U == 0 ? 2000.0F : 10.0F);
    }
    const Box3 slab{{box.origin.z + z, box.origin.y, box.origin.x}, {1, box.shape.y, box.shape.x}};
    if (const auto status = ops.Upload(plane, slab, y); !status.ok()) throw std::runtime_error(status.ToString());
  }
}

// Times the iterations, and between them the baseline.
class Stopwatch final : public worker::Monitor {
 public:
  explicit Stopwatch(FftwBaseline* baseline) : baseline_(baseline) {}

  absl::Status Iterated(int64_t done, int64_t, std::optional<double>) override {
    constexpr int64_t kWarmUp = 2;
    const auto now = Clock::now();
    if (done > kWarmUp) iterations.push_back(Seconds(now - last_));
    resident = std::max(resident, ResidentBytes());
    if (baseline_ != nullptr) {
      const auto start = Clock::now();
      baseline_->FourTransforms();
      if (done > kWarmUp) transforms.push_back(Seconds(Clock::now() - start));
    }
    last_ = Clock::now();
    return absl::OkStatus();
  }

  std::vector<double> iterations, transforms;
  int64_t resident = 0;

 private:
  FftwBaseline* baseline_;
  Clock::time_point last_;
};

template <typename T>
T Value(absl::StatusOr<T> result) {
  if (!result.ok()) throw std::runtime_error(result.status().ToString());
  return *std::move(result);
}

nlohmann::json Run(const Options& options) {
  const auto boundary = options.boundary == "extend"   ? v1::EXTEND
                        : options.boundary == "mirror" ? v1::MIRROR
                                                       : v1::PERIODIC;
  const Shape3 padded = PaddedShape(options, boundary);
  const Shape3 measured = boundary == v1::EXTEND ? ToShape(options.shape) : padded;
  std::optional<FftwBaseline> baseline;
  if (options.baseline) baseline.emplace(padded, options.threads, options.wisdom);

  const auto backend = worker::MakeCpuBackend({.threads = options.threads, .wisdom_folder = {}});
  const auto* method = worker::FindMethod("rl");
  const auto parameters =
      Value(ResolveParameters(method->description(), {{"iterations", std::to_string(options.repeats + 2)},
                                                      {"acceleration", options.acceleration}}));

  const Shape3 psf = ToShape(options.psf);
  const std::vector<float> psf_values = MakePsf(psf);
  const int64_t resident_before = ResidentBytes();
  const auto planning = Clock::now();
  const auto ops = Value(backend->Open(padded));
  const double planning_seconds = Seconds(Clock::now() - planning);
  const auto otf = Value(ops->MakeOtf(psf_values, psf, {psf.z / 2, psf.y / 2, psf.x / 2}));
  const auto y = Value(ops->Allocate({{}, measured}));
  UploadPattern(*ops, *y);
  const worker::Problem problem{.ops = ops.get(),
                                .otf = otf.get(),
                                .measured = y.get(),
                                .mask = nullptr,
                                .previous = nullptr,
                                .boundary = boundary,
                                .background = 5,
                                .mean = 150};
  Stopwatch stopwatch(baseline ? &*baseline : nullptr);
  const auto estimate = Value(method->Run(problem, parameters, stopwatch));

  const double iteration = Median(stopwatch.iterations), transforms = Median(stopwatch.transforms);
  const double voxels = static_cast<double>(padded.voxels());
  return {{"shape", options.shape},
          {"psf", options.psf},
          {"padded", {padded.z, padded.y, padded.x}},
          {"boundary", options.boundary},
          {"acceleration", options.acceleration},
          {"threads", options.threads},
          {"repeats", options.repeats},
          {"seconds_per_iteration", iteration},
          {"seconds_of_four_transforms", transforms},
          {"ratio", transforms > 0 ? iteration / transforms : 0},
          {"planning_seconds", planning_seconds},
          {"fftw_planning_seconds", baseline ? baseline->planning_seconds() : 0},
          {"bytes_per_padded_voxel", static_cast<double>(stopwatch.resident - resident_before) / voxels},
          {"nanoseconds_per_padded_voxel", iteration / voxels * 1e9},
          {"device", backend->device()}};
}

void Print(const nlohmann::json& r) {
  fmt::print("{}\n", r["device"].get<std::string>());
  fmt::print("volume {}  psf {}  padded {}  {}, {}, {} threads\n", r["shape"].dump(), r["psf"].dump(),
             r["padded"].dump(), r["boundary"].get<std::string>(), r["acceleration"].get<std::string>(),
             r["threads"].get<int>());
  fmt::print("  iteration          {:9.4f} s\n", r["seconds_per_iteration"].get<double>());
  fmt::print("  four transforms    {:9.4f} s   planned in {:.1f} s\n", r["seconds_of_four_transforms"].get<double>(),
             r["fftw_planning_seconds"].get<double>());
  fmt::print("  ratio              {:9.3f}\n", r["ratio"].get<double>());
  fmt::print("  planning           {:9.2f} s\n", r["planning_seconds"].get<double>());
  fmt::print("  memory             {:9.2f} bytes per padded voxel\n", r["bytes_per_padded_voxel"].get<double>());
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app{"Times Richardson-Lucy on the CPU against FFTW's own transforms."};
  app.add_option("--shape", options.shape, "measured volume, Z,Y,X")->delimiter(',')->expected(3);
  app.add_option("--psf", options.psf, "PSF, Z,Y,X")->delimiter(',')->expected(3);
  app.add_option("--padded", options.padded, "padded domain, Z,Y,X; planned when left out")
      ->delimiter(',')
      ->expected(3);
  app.add_option("--boundary", options.boundary)->check(CLI::IsMember({"extend", "mirror", "periodic"}));
  app.add_option("--acceleration", options.acceleration)->check(CLI::IsMember({"none", "heavy-ball"}));
  app.add_option("--threads", options.threads)->check(CLI::Range(1, 1024));
  app.add_option("--repeats", options.repeats, "iterations timed")->check(CLI::Range(1, 1000));
  app.add_flag("--baseline,!--no-baseline", options.baseline, "time FFTW's transforms too");
  app.add_option("--wisdom", options.wisdom, "file that keeps the plans of FFTW's transforms");
  app.add_option("--json", options.json, "file for the result as JSON, - for standard output");
  CLI11_PARSE(app, argc, argv);
  const nlohmann::json result = Run(options);
  if (options.json == "-") {
    std::cout << result.dump(2) << '\n';
    return 0;
  }
  Print(result);
  if (!options.json.empty()) std::ofstream(options.json) << result.dump(2) << '\n';
  return 0;
}

}  // namespace
}  // namespace deconvoy::bench

int main(int argc, char** argv) {
  try {
    return deconvoy::bench::Main(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "deconvoy-bench: {}\n", error.what());
    return 1;
  }
}
