// deconvoy-bench operations: the bytes that each operation of worker/ops/backend.h must move, per second, over a memory
// copy of the same run; and the element loops on a row in the cache, over a copy of that row.
//
// What must move is each array once: what is read and what is written, 4 bytes per voxel. A convolution also reads its
// OTF and, as no cache holds it, writes and reads its spectrum in three passes (rows and columns, along z, back): 4
// bytes of writing, 8 along z, 4 of reading. What an implementation moves beyond that lowers its figure.
#include <fmt/format.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/case.h"
#include "tests/bench/commands.h"
#include "tests/bench/element_loops.h"
#include "tests/bench/engine.h"
#include "tests/bench/measure.h"
#include "tests/bench/memory_copy.h"

namespace deconvoy::bench {
namespace {

using worker::Array;
using worker::Extrapolate;
using worker::GuardedRatio;
using worker::Identity;
using worker::MultiplyUpdate;
using worker::Ops;
using worker::Store;

struct Options {
  std::vector<int64_t> domain = {128, 576, 576};
  std::vector<int64_t> psf = {61, 61, 61};
  std::string psf_kind = "asymmetric";
  int64_t row = 4096;
  int threads = 2;
  int repeats = 7;
};

constexpr int kArray = 4;                       // bytes per voxel: one array read or written
constexpr int kConvolution = 5 * kArray;        // OTF, and the spectrum in three passes
constexpr float kAlpha = 0.5F, kFloor = 1e-3F;  // of extrapolation and quotient

// Arrays over the whole domain, and host memory of the same size.
struct Field {
  Field(Ops& operations, const Options& options)
      : ops(operations), box{{}, operations.domain()}, host(static_cast<size_t>(box.shape.voxels())) {
    const Shape3 psf = ToShape(options.psf);
    otf = Value(ops.MakeOtf(MakePsf(psf, options.psf_kind == "symmetric"), psf, {psf.z / 2, psf.y / 2, psf.x / 2}));
    weights = Value(ops.MakeWeights(*otf, box, nullptr));
    for (auto* array : {&x, &previous, &y, &out}) {
      *array = Value(ops.Allocate(box));
      UploadPattern(ops, **array);
    }
  }

  Extrapolate extrapolate() const { return {x.get(), previous.get(), kAlpha, 0.1F}; }
  GuardedRatio ratio(Array* output, double* i_divergence = nullptr) const {
    return {y.get(), nullptr, kPatternBackground, kFloor, output, i_divergence};
  }
  MultiplyUpdate update() const { return {extrapolate(), weights.get(), 0.01F, out.get()}; }
  void Convolve(const worker::Prologue& prologue, const worker::Epilogue& epilogue) {
    Check(ops.Convolve({otf.get(), false, prologue, epilogue}));
  }

  Ops& ops;
  const Box3 box;
  std::vector<float> host;
  std::unique_ptr<worker::Otf> otf;
  std::unique_ptr<worker::Weights> weights;
  std::unique_ptr<Array> x, previous, y, out;
  double divergence = 0;
};

struct Operation {
  std::string name;
  int bytes_per_voxel;  // that must move
  std::function<void()> run;
};

std::vector<Operation> SimpleOperations(Field& f) {
  return {
      {"fill", kArray, [&f] { Check(f.ops.Fill(*f.out, 1)); }},
      {"copy", 2 * kArray, [&f] { Check(f.ops.Copy(*f.x, f.box, *f.out)); }},
      {"upload", 2 * kArray, [&f] { Check(f.ops.Upload(f.host, f.box, *f.out)); }},
      {"download", 2 * kArray, [&f] { Check(f.ops.Download(*f.x, f.box, f.host)); }},
      {"reduce", kArray, [&f] { Value(f.ops.Reduce(*f.x, f.box)); }},
  };
}

std::vector<Operation> Convolutions(Field& f) {
  const Identity identity{f.x.get()};
  const Store store{f.out.get()};
  return {
      {"convolve: identity, store", kConvolution + 2 * kArray, [&f, identity, store] { f.Convolve(identity, store); }},
      {"convolve: extrapolate, store", kConvolution + 3 * kArray, [&f, store] { f.Convolve(f.extrapolate(), store); }},
      {"convolve: identity, guarded ratio", kConvolution + 3 * kArray,
       [&f, identity] { f.Convolve(identity, f.ratio(f.out.get())); }},
      {"convolve: the same with I-divergence", kConvolution + 3 * kArray,
       [&f, identity] { f.Convolve(identity, f.ratio(f.out.get(), &f.divergence)); }},
      {"convolve: identity, multiply update", kConvolution + 4 * kArray,
       [&f, identity] { f.Convolve(identity, f.update()); }},
      {"convolve then: an iteration", 2 * kConvolution + 6 * kArray,
       [&f] {
         Check(f.ops.ConvolveThen({f.otf.get(), false, f.extrapolate(), f.ratio(nullptr)},
                                  {f.otf.get(), true, Identity{nullptr}, f.update()}));
       }},
  };
}

nlohmann::json Measured(const Operation& operation, int64_t voxels, double copy, int repeats) {
  const std::vector<double> seconds = TimeEach(repeats, operation.run);
  const double speed = operation.bytes_per_voxel * static_cast<double>(voxels) / Median(seconds);
  return {{"name", operation.name},
          {"bytes_per_voxel", operation.bytes_per_voxel},
          {"bytes_per_second", speed},
          {"of_copy", speed / copy},
          {"samples_seconds", seconds}};
}

nlohmann::json Measure(const Options& options) {
  const Shape3 domain = ToShape(options.domain);
  const auto backend = MakeBackend(options.threads);
  const auto ops = Value(backend->Open(domain));
  Field field(*ops, options);
  MemoryCopy memory(domain.voxels(), options.threads);
  const std::vector<double> copies = TimeEach(options.repeats, [&] { memory.Run(); });
  const double copy = static_cast<double>(memory.bytes()) / Median(copies);

  nlohmann::json operations = nlohmann::json::array();
  for (const auto& group : {SimpleOperations(field), Convolutions(field)}) {
    for (const Operation& operation : group) {
      operations.push_back(Measured(operation, domain.voxels(), copy, options.repeats));
    }
  }
  return {{"domain", options.domain},
          {"psf", options.psf},
          {"psf_kind", options.psf_kind},
          {"threads", options.threads},
          {"repeats", options.repeats},
          {"memory_copy_bytes_per_second", copy},
          {"memory_copy_samples_seconds", copies},
          {"operations", operations},
          {"row", options.row},
          {"element_loops", MeasureElementLoops(options.row, options.repeats)},
          {"device", backend->device()}};
}

void Report(const nlohmann::json& r) {
  constexpr double kGiga = 1e9;
  fmt::print("{}\ndomain {}  {} threads  memory copy {:.1f} GB/s\n", r["device"].get<std::string>(), r["domain"].dump(),
             r["threads"].get<int>(), r["memory_copy_bytes_per_second"].get<double>() / kGiga);
  fmt::print("{:38} bytes per voxel   GB/s  of copy\n", "operation");
  for (const auto& o : r["operations"]) {
    fmt::print("{:38} {:15}  {:5.1f}  {:7.2f}\n", o["name"].get<std::string>(), o["bytes_per_voxel"].get<int>(),
               o["bytes_per_second"].get<double>() / kGiga, o["of_copy"].get<double>());
  }
  fmt::print("{:38}  ns per element   GB/s  of copy\n", fmt::format("element loop over {}", r["row"].get<int64_t>()));
  for (const auto& o : r["element_loops"]) {
    fmt::print("{:38} {:15.3f}  {:5.1f}  {:7.2f}\n", o["name"].get<std::string>(),
               o["nanoseconds_per_element"].get<double>(), o["bytes_per_second"].get<double>() / kGiga,
               o["of_copy"].get<double>());
  }
}

}  // namespace

Command AddOperations(CLI::App& root) {
  auto* app = root.add_subcommand("operations", "bandwidth of every operation against a memory copy");
  const auto options = std::make_shared<Options>();
  AddExtents(*app, "--domain", options->domain, "domain of the operations")->capture_default_str();
  AddExtents(*app, "--psf", options->psf, "PSF")->capture_default_str();
  app->add_option("--psf-kind", options->psf_kind)
      ->check(CLI::IsMember({"symmetric", "asymmetric"}))
      ->capture_default_str();
  app->add_option("--row", options->row, "elements of a row in the cache")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  app->add_option("--threads", options->threads)->check(CLI::Range(1, 1024))->capture_default_str();
  app->add_option("--repeats", options->repeats)->check(CLI::Range(1, 1000))->capture_default_str();
  return {app, [options] { return Measure(*options); }, Report};
}

}  // namespace deconvoy::bench
