// deconvoy-bench gpu-tiles: what a large volume would take, from some of its tiles at full size: counts go through
// staging to the device, the method runs, and the core comes back, as in a worker but without a server, a disk, and the
// sums over the result that a worker tells (among them two transforms for the residual).
//
// Tiles are computed one after another, and on a device with halves also two at once, of which one iterates while the
// other is loaded or unloaded. The volume's time is that of two at once where there are such: its first tile's loading,
// its tiles as they follow each other, its last one's unloading.
#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <random>
#include <span>
#include <vector>

#include "proto/contract/deconvolution.h"
#include "proto/contract/tile_plan.h"
#include "tests/bench/commands.h"
#include "tests/bench/device.h"
#include "tests/bench/engine.h"
#include "tests/bench/measure.h"
#include "worker/methods/registry.h"
#include "worker/ops/finishing.h"

namespace deconvoy::bench {
namespace {

struct Options {
  Case what;
  std::string backend = "cuda";
  std::vector<int64_t> volume = {2850, 7226, 6370};
  int64_t memory_mib = 65536;
  int at_once = 2;
  int iterations = 15;
  int tiles = 3;
};

TilePlan Plan(const Options& options) {
  const worker::Method& rl = *worker::FindMethod("rl");
  const auto parameters = Value(ResolveParameters(rl.description(), {{"acceleration", options.what.acceleration}}));
  v1::DeconvolveSpec spec;
  spec.set_boundary(v1::EXTEND);
  TilePlanRequest request;
  request.frame = ToShape(options.volume);
  request.psf = ToShape(options.what.psf);
  request.halo = {HaloExtent(request.psf.z, 0), HaloExtent(request.psf.y, 0), HaloExtent(request.psf.x, 0)};
  request.memory = MemoryOf(rl.description(), parameters, spec, 1, false);
  request.memory_budget_bytes = (options.memory_mib << 20) / options.at_once;
  request.beside = options.at_once > 1;
  return Value(PlanTiles(request));
}

// Random counts, a plane's worth, which every plane takes: what they are makes no difference to the time.
std::vector<uint16_t> RandomCounts(size_t voxels) {
  std::mt19937 random(1);
  std::vector<uint16_t> counts(voxels);
  for (uint16_t& count : counts) count = static_cast<uint16_t>(100 + random() % 400);
  return counts;
}

void LoadTile(worker::Ops& ops, const Box3& box, worker::Array& y) {
  const Shape3 plane{1, box.shape.y, box.shape.x};
  const auto bytes = plane.voxels() * static_cast<int64_t>(sizeof(uint16_t));
  const std::vector<uint16_t> counts = RandomCounts(static_cast<size_t>(plane.voxels()));
  std::unique_ptr<worker::Staging> stagings[2] = {Value(ops.Stage(bytes)), Value(ops.Stage(bytes))};
  for (int64_t z = 0; z < box.shape.z; ++z) {
    worker::Staging& staging = *stagings[z % 2];
    const std::span<std::byte> room = Value(staging.Bytes());
    std::ranges::copy(std::as_bytes(std::span(counts)), room.begin());
    Check(ops.Load(staging, v1::U16, {.offset = 100}, {{z, 0, 0}, plane}, y));
  }
}

// As u16 where the device makes voxels; else the values are brought.
void UnloadCore(worker::Ops& ops, const worker::Array& estimate, const Box3& core) {
  const Shape3 plane{1, core.shape.y, core.shape.x};
  const auto at = [&](int64_t z) { return Box3{core.origin + Voxel{z, 0, 0}, plane}; };
  worker::Finishing* const finishing = ops.finishing();
  if (finishing == nullptr) {
    std::vector<float> values(static_cast<size_t>(plane.voxels()));
    for (int64_t z = 0; z < core.shape.z; ++z) Check(ops.Download(estimate, at(z), values));
    return;
  }
  const auto bytes = plane.voxels() * static_cast<int64_t>(sizeof(uint16_t));
  std::unique_ptr<worker::Staging> stagings[2] = {Value(ops.Stage(bytes)), Value(ops.Stage(bytes))};
  for (int64_t z = 0; z < core.shape.z; ++z) {
    worker::Staging& staging = *stagings[z % 2];
    Value(staging.Bytes());
    Check(finishing->Unload(estimate, at(z), {.type = v1::U16, .gain = 1, .offset = 100}, staging));
  }
  for (const auto& staging : stagings) Value(staging->Bytes());
}

struct Times {
  double load = 0, iterate = 0, unload = 0;
};

// Lets numbered tiles iterate one after another.
class Turns {
 public:
  // Throws what another tile has failed with.
  void Await(int tile) {
    std::unique_lock lock(mutex_);
    passed_.wait(lock, [&] { return failed_ != nullptr || next_ == tile; });
    if (failed_ != nullptr) std::rethrow_exception(failed_);
  }
  void Fail(const std::exception_ptr& failed) {
    {
      const std::lock_guard lock(mutex_);
      failed_ = failed;
    }
    passed_.notify_all();
  }
  void Pass() {
    {
      const std::lock_guard lock(mutex_);
      ++next_;
    }
    passed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable passed_;
  int next_ = 0;               // guarded by mutex_
  std::exception_ptr failed_;  // guarded by mutex_
};

// The tile with this number, when it is its turn.
Times ComputeTile(Engine& engine, const Tile& tile, int64_t iterations, Turns& turns, int number) {
  class Silent final : public worker::Monitor {
   public:
    absl::Status Iterated(const worker::Iteration&) override { return absl::OkStatus(); }
  } silent;
  Times times;
  const auto start = Clock::now();
  LoadTile(engine.ops(), {{}, tile.loaded.shape}, engine.measured_to_fill());
  times.load = SecondsSince(start);
  turns.Await(number);
  const auto estimate = engine.Run(iterations, silent);
  float value = 0;
  Check(engine.ops().Download(*estimate, {{}, {1, 1, 1}}, {&value, 1}));
  times.iterate = SecondsSince(start) - times.load;
  turns.Pass();
  UnloadCore(engine.ops(), *estimate, {tile.core.origin - tile.loaded.origin, tile.core.shape});
  times.unload = SecondsSince(start) - times.load - times.iterate;
  return times;
}

// Seconds of `count` tiles, as many at once as there are engines.
double ComputeBeside(std::span<const std::unique_ptr<Engine>> engines, const Tile& tile, int64_t iterations,
                     int count) {
  Turns turns;
  const auto start = Clock::now();
  const auto compute = [&](size_t first) {
    try {
      for (auto number = first; number < static_cast<size_t>(count); number += engines.size()) {
        ComputeTile(*engines[first], tile, iterations, turns, static_cast<int>(number));
      }
    } catch (...) {
      turns.Fail(std::current_exception());
      throw;
    }
  };
  std::vector<std::future<void>> running;
  for (size_t i = 0; i < engines.size(); ++i) running.push_back(std::async(std::launch::async, compute, i));
  for (std::future<void>& each : running) each.get();
  return SecondsSince(start);
}

nlohmann::json Measure(Options options) {
  const auto backend = MakeDevice(options.backend, options.what.threads);
  std::vector<std::unique_ptr<worker::Backend>> halves;
  if (options.at_once > 1) halves = backend->MakeHalves();
  if (halves.empty()) options.at_once = 1;
  const TilePlan plan = Plan(options);
  const Shape3 frame = ToShape(options.volume);
  // Full-size tiles lie inside; the first of a frame with few tiles are as large as its others.
  std::vector<Tile> tiles;
  for (int64_t i = 0; i < plan.tiles(); ++i) tiles.push_back(plan.At(i, frame));
  std::ranges::stable_sort(tiles, std::greater{}, [](const Tile& tile) { return tile.loaded.shape.voxels(); });
  const Shape3 loaded = tiles.front().loaded.shape;
  options.what.shape = {loaded.z, loaded.y, loaded.x};
  options.what.padded = {plan.padded.z, plan.padded.y, plan.padded.x};
  std::vector<std::unique_ptr<Engine>> engines;
  for (const auto& half : halves) engines.push_back(std::make_unique<Engine>(*half, options.what));
  if (engines.empty()) engines.push_back(std::make_unique<Engine>(*backend, options.what));
  std::vector<double> load, iterate, unload, whole;
  Turns turns;
  for (int i = 0; i < options.tiles; ++i) {
    const Times times = ComputeTile(*engines[0], tiles.front(), options.iterations, turns, i);
    load.push_back(times.load);
    iterate.push_back(times.iterate);
    unload.push_back(times.unload);
    whole.push_back(times.load + times.iterate + times.unload);
  }
  const double ends = Median(load) + Median(unload);
  double tile = Median(whole), volume = tile * static_cast<double>(plan.tiles());
  if (options.at_once > 1) {
    // Each engine computes as many, so that every tile but the first is loaded beside another.
    const int count = options.at_once * options.tiles;
    tile = (ComputeBeside(engines, tiles.front(), options.iterations, count) - ends) / count;
    volume = tile * static_cast<double>(plan.tiles()) + ends;
  }
  return {{"backend", backend->name()},       {"device", backend->device()},
          {"volume", options.volume},         {"psf", options.what.psf},
          {"iterations", options.iterations}, {"acceleration", options.what.acceleration},
          {"memory_mib", options.memory_mib}, {"padded", options.what.padded},
          {"loaded", options.what.shape},     {"tiles_of_volume", plan.tiles()},
          {"at_once", options.at_once},       {"seconds_per_tile_alone", Median(whole)},
          {"tiles_measured", options.tiles},  {"load_seconds", load},
          {"iterate_seconds", iterate},       {"unload_seconds", unload},
          {"seconds_per_tile", tile},         {"over_iterations", tile / Median(iterate)},
          {"projected_seconds", volume}};
}

void Report(const nlohmann::json& r) {
  fmt::print("{}\n", r["device"].get<std::string>());
  fmt::print("volume {} in {} tiles padded to {}, {} iterations\n", r["volume"].dump(),
             r["tiles_of_volume"].get<int64_t>(), r["padded"].dump(), r["iterations"].get<int>());
  fmt::print("  a tile      {:10.3f} s alone, of {} measured\n", r["seconds_per_tile_alone"].get<double>(),
             r["tiles_measured"].get<int>());
  fmt::print("  {} at once   {:10.3f} s for each, {:.3f} of its iterations\n", r["at_once"].get<int>(),
             r["seconds_per_tile"].get<double>(), r["over_iterations"].get<double>());
  fmt::print("  the volume  {:10.1f} s, projected\n", r["projected_seconds"].get<double>());
}

}  // namespace

Command AddGpuTiles(CLI::App& root) {
  auto* app = root.add_subcommand("gpu-tiles", "what a large volume would take, from tiles of it at full size");
  const auto options = std::make_shared<Options>();
  AddCaseOptions(*app, options->what);
  AddBackendOption(*app, options->backend);
  AddExtents(*app, "--volume", options->volume, "the whole volume")->capture_default_str();
  app->add_option("--memory-mib", options->memory_mib, "memory of the device that a task may use")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 30))
      ->capture_default_str();
  app->add_option("--at-once", options->at_once, "tiles that share the memory, on a device with halves")
      ->check(CLI::Range(1, 2))
      ->capture_default_str();
  app->add_option("--iterations", options->iterations)->check(CLI::Range(1, 10000))->capture_default_str();
  app->add_option("--tiles", options->tiles, "tiles that are computed")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  return {app, [options] { return Measure(*options); }, Report};
}

}  // namespace deconvoy::bench
