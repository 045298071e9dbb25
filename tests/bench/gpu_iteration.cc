// deconvoy-bench gpu-iteration: one iteration of Richardson-Lucy on a device, against what its memory lets one expect:
// the bytes that an iteration must move at the speed at which the device copies, and four transforms of the device's
// own library alone, cuFFT or FFTW. Two bare convolutions, which add the product with the OTF, are told beside.
//
// A device goes on while the host does, so that single iterations cannot be told by the host's clock: timed are two
// runs that differ in their iterations, each up to a value of its result. The difference is that of the iterations.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "tests/bench/commands.h"
#include "tests/bench/device.h"
#include "tests/bench/engine.h"
#include "tests/bench/fftw_baseline.h"
#include "tests/bench/measure.h"
#include "worker/backends/cuda/cuda_backend.h"

namespace deconvoy::bench {
namespace {

struct Options {
  Case what;
  std::string backend = "cuda";
  int repeats = 5;
  int iterations = 20;
  int64_t memory_mib = 0;
};

// Waits until the device has done everything before.
void Finish(worker::Ops& ops, const worker::Array& array) {
  float value = 0;
  Check(ops.Download(array, {array.box().origin, {1, 1, 1}}, {&value, 1}));
}

// Bytes per padded voxel that an iteration of rl with matched projectors must move, if each pass reads what it needs
// and writes what it makes once. A transform makes two passes over its field: planes, then lines along z. The product
// with the OTF goes with the latter, what becomes of the values with the former.
double BytesThatMustMove(const Case& what, bool real_otf) {
  constexpr double kField = sizeof(float), kPass = 2 * kField;
  const auto padded = static_cast<double>(PaddedShape(what).voxels());
  const double measured = static_cast<double>(MeasuredShape(what).voxels()) / padded;
  const double transforms = 4 * 2 * kPass;
  const double otf = 2 * (real_otf ? kField / 2 : kField);  // half the frequencies, of one or two numbers
  const double ratio = kField * measured;                   // y
  const double update = what.acceleration == "none" ? 2 * kField : 4 * kField;  // x, the one before, and their change
  return transforms + otf + ratio + update;
}

// Bytes per second, read and written, of the backend's copies.
double CopyRate(Engine& engine, int repeats) {
  worker::Ops& ops = engine.ops();
  // Of y into one array more, so that no more memory is taken than by iterations.
  const Box3& box = engine.measured().box();
  const auto target = Value(ops.Allocate(box));
  constexpr int kCopies = 10;
  const auto seconds = TimeEach(repeats, [&] {
    for (int i = 0; i < kCopies; ++i) Check(ops.Copy(engine.measured(), box, *target));
    Finish(ops, *target);
  });
  return 2.0 * kCopies * static_cast<double>(box.shape.voxels()) * sizeof(float) / Median(seconds);
}

// Of the device without our backend: its own copy where it has one, and the transforms alone.
worker::DeviceSpeed SpeedOf(const Options& options, const Shape3& padded) {
  if (options.backend == "cuda") return Value(worker::MeasureDevice({}, padded, options.repeats));
  FftwBaseline fftw(padded, options.what.threads, {});
  return {.four_transforms_seconds = Median(TimeEach(options.repeats, [&] { fftw.FourTransforms(); }))};
}

// Seconds of two convolutions without anything around them.
double TwoConvolutions(Engine& engine, int repeats) {
  worker::Ops& ops = engine.ops();
  const Box3 whole{{}, ops.domain()};
  const auto field = Value(ops.Allocate(whole));
  Check(ops.Fill(*field, 1));
  const auto seconds = TimeEach(repeats, [&] {
    for (const bool adjoint : {false, true}) {
      Check(ops.Convolve({&engine.otf(), adjoint, worker::Identity{field.get()}, worker::Store{field.get()}}));
    }
    Finish(ops, *field);
  });
  return Median(seconds);
}

double SecondsOfRun(Engine& engine, int64_t iterations) {
  class Silent final : public worker::Monitor {
   public:
    absl::Status Iterated(const worker::Iteration&) override { return absl::OkStatus(); }
  } silent;
  const auto start = Clock::now();
  const auto estimate = engine.Run(iterations, silent);
  Finish(engine.ops(), *estimate);
  return SecondsSince(start);
}

nlohmann::json Measure(const Options& options) {
  const Shape3 padded = PaddedShape(options.what);
  // First: it takes the device's memory.
  const worker::DeviceSpeed device = SpeedOf(options, padded);
  const auto backend = MakeDevice(options.backend, options.what.threads, options.memory_mib);
  Engine engine(*backend, options.what);
  std::vector<double> iterations;
  SecondsOfRun(engine, 1);
  for (int i = 0; i < options.repeats; ++i) {
    const double few = SecondsOfRun(engine, 1);
    iterations.push_back((SecondsOfRun(engine, 1 + options.iterations) - few) / options.iterations);
  }
  const double iteration = Median(iterations);
  const double two = TwoConvolutions(engine, options.repeats), four = device.four_transforms_seconds;
  const double own_rate = CopyRate(engine, options.repeats), rate = std::max(own_rate, device.copy_bytes_per_second);
  const auto voxels = static_cast<double>(padded.voxels());
  const double must = BytesThatMustMove(options.what, options.what.psf_kind == "symmetric") * voxels;
  return {{"backend", backend->name()},
          {"device", backend->device()},
          {"shape", options.what.shape},
          {"psf", options.what.psf},
          {"psf_kind", options.what.psf_kind},
          {"padded", {padded.z, padded.y, padded.x}},
          {"acceleration", options.what.acceleration},
          {"iteration_seconds", iterations},
          {"seconds_per_iteration", iteration},
          {"memory_mib", options.memory_mib},
          {"copy_bytes_per_second", rate},
          {"own_copy_bytes_per_second", own_rate},
          {"bytes_that_must_move", must},
          {"over_bytes", iteration / (must / rate)},
          {"seconds_of_four_transforms", four},
          {"over_four_transforms", iteration / four},
          {"seconds_of_two_convolutions", two},
          {"over_two_convolutions", iteration / two},
          {"padded_voxel_iterations_per_second", voxels / iteration}};
}

void Report(const nlohmann::json& r) {
  fmt::print("{}\n", r["device"].get<std::string>());
  fmt::print("volume {}  psf {} {}  padded {}, {}\n", r["shape"].dump(), r["psf"].dump(),
             r["psf_kind"].get<std::string>(), r["padded"].dump(), r["acceleration"].get<std::string>());
  fmt::print("  iteration            {:10.5f} s\n", r["seconds_per_iteration"].get<double>());
  fmt::print("  copies               {:10.1f} GB/s read and written\n", r["copy_bytes_per_second"].get<double>() / 1e9);
  fmt::print("  over its bytes       {:10.3f}\n", r["over_bytes"].get<double>());
  fmt::print("  over 4 transforms    {:10.3f}   of {:.5f} s\n", r["over_four_transforms"].get<double>(),
             r["seconds_of_four_transforms"].get<double>());
  fmt::print("  over 2 convolutions  {:10.3f}   of {:.5f} s\n", r["over_two_convolutions"].get<double>(),
             r["seconds_of_two_convolutions"].get<double>());
}

}  // namespace

Command AddGpuIteration(CLI::App& root) {
  auto* app = root.add_subcommand("gpu-iteration", "one iteration of rl on a device against its copies and transforms");
  const auto options = std::make_shared<Options>();
  AddShapeOption(*app, options->what);
  AddCaseOptions(*app, options->what);
  AddBackendOption(*app, options->backend);
  app->add_option("--iterations", options->iterations, "by which two runs differ")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app->add_option("--repeats", options->repeats)->check(CLI::Range(1, 1000))->capture_default_str();
  app->add_option(
         "--memory-mib", options->memory_mib,
         "memory of the GPU for arrays, transforms and OTFs, beside 256 MiB of workspace; without it what is free")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 30));
  return {app, [options] { return Measure(*options); }, Report};
}

}  // namespace deconvoy::bench
