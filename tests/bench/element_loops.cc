#include "tests/bench/element_loops.h"

#include <benchmark/benchmark.h>

#include <complex>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/bench/measure.h"
#include "worker/backends/cpu/pointwise.h"
#include "worker/ops/backend.h"

namespace deconvoy::bench {
namespace {

namespace cpu = worker::cpu;

struct Loop {
  std::string name;
  int bytes_per_element;  // read and written
  std::function<void()> run;
};

// Values that stay ordinary however often a loop runs in place: factors of modulus 1, quotients 2 / 1 and 2 / 2.
struct Rows {
  explicit Rows(size_t n) : a(n, 2), b(n, 1), values(n, 1), out(n), factors(n, {0, 1}), complex(n, {1, 1}), image(n) {}
  std::vector<float> a, b, values, out;
  std::vector<cpu::Complex> factors, complex, image;
};

std::vector<Loop> LoopsOver(Rows& r, int64_t n) {
  return {
      {"row copy", 8,
       [&r] {
         std::memcpy(r.out.data(), r.a.data(), r.a.size() * sizeof(float));
         benchmark::ClobberMemory();
       }},
      {"extrapolate", 12, [&r, n] { cpu::ExtrapolateRow(r.a.data(), r.b.data(), 0.5F, 0.1F, n, r.out.data()); }},
      {"ratio", 12, [&r, n] { cpu::RatioRow(r.a.data(), 0, 0, 1e-6F, n, r.values.data()); }},
      {"multiply", 12, [&r, n] { cpu::MultiplyRow(r.b.data(), n, r.values.data()); }},
      {"update", 16,
       [&r, n] {
         cpu::UpdateRow(r.a.data(), r.values.data(), r.b.data(), 0.01F, 0, worker::kNoFloor, n, r.out.data());
       }},
      {"product", 12, [&r, n] { cpu::ProductRow(r.a.data(), r.b.data(), worker::kNoFloor, n, r.out.data()); }},
      {"divergence", 8,
       [&r, n] { benchmark::DoNotOptimize(cpu::DivergenceOfRow(r.b.data(), r.a.data(), nullptr, 1, 1e-6F, n)); }},
      {"multiply complex", 24, [&r, n] { cpu::MultiplyComplex(r.factors.data(), false, n, r.complex.data()); }},
      {"scale complex", 16, [&r, n] { cpu::ScaleComplex(r.complex.data(), 0.5F, n, r.image.data()); }},
  };
}

// Keeps the seconds per call of every repetition instead of printing them.
class Collector final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& /*context*/) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type == Run::RT_Iteration)
        seconds[run.run_name.function_name].push_back(run.real_accumulated_time / static_cast<double>(run.iterations));
    }
  }

  std::map<std::string, std::vector<double>> seconds;
};

}  // namespace

nlohmann::json MeasureElementLoops(int64_t row, int repeats) {
  constexpr double kLeastSeconds = 0.02;  // of one repetition
  Rows rows(static_cast<size_t>(row));
  const std::vector<Loop> loops = LoopsOver(rows, row);
  for (const Loop& loop : loops) {
    benchmark::RegisterBenchmark(loop.name.c_str(),
                                 [&loop](benchmark::State& state) {
                                   for ([[maybe_unused]] auto _ : state) loop.run();
                                 })
        ->MinTime(kLeastSeconds)
        ->Repetitions(repeats);
  }
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector);
  benchmark::ClearRegisteredBenchmarks();

  nlohmann::json result = nlohmann::json::array();
  double copy = 0;
  for (const Loop& loop : loops) {
    const std::vector<double>& samples = collector.seconds[loop.name];
    const double seconds = Median(samples), speed = loop.bytes_per_element * static_cast<double>(row) / seconds;
    if (result.empty()) copy = speed;
    result.push_back({{"name", loop.name},
                      {"nanoseconds_per_element", seconds / static_cast<double>(row) * 1e9},
                      {"bytes_per_element", loop.bytes_per_element},
                      {"bytes_per_second", speed},
                      {"of_copy", speed / copy},
                      {"samples_seconds", samples}});
  }
  return result;
}

}  // namespace deconvoy::bench
