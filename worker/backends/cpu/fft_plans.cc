#include "worker/backends/cpu/fft_plans.h"

#include <fcntl.h>
#include <fftw3.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <numbers>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "worker/backends/cpu/pointwise.h"

namespace deconvoy::worker::cpu {
namespace {

namespace fs = std::filesystem;

fftwf_complex* Raw(Complex* values) {
  return reinterpret_cast<fftwf_complex*>(values);
}

struct FreeFftw {
  void operator()(void* memory) const { std::free(memory); }
};

// Memory for the planner to measure on, aligned as that of the later transforms.
std::unique_ptr<float, FreeFftw> PlanningMemory(int64_t floats) {
  const size_t bytes = (static_cast<size_t>(floats) * sizeof(float) + 127) / 64 * 64;
  return std::unique_ptr<float, FreeFftw>(static_cast<float*>(std::aligned_alloc(64, bytes)));
}

class FftwLine final : public LineTransform {
 public:
  explicit FftwLine(int64_t extent) {
    const auto from = PlanningMemory(2 * extent), to = PlanningMemory(2 * extent);
    const auto plan = [&](int sign) {
      return fftwf_plan_dft_1d(static_cast<int>(extent), reinterpret_cast<fftwf_complex*>(from.get()),
                               reinterpret_cast<fftwf_complex*>(to.get()), sign, FFTW_MEASURE | FFTW_DESTROY_INPUT);
    };
    forward_ = plan(FFTW_FORWARD);
    inverse_ = plan(FFTW_BACKWARD);
  }
  void Forward(Complex* in, Complex* out) const override { fftwf_execute_dft(forward_, Raw(in), Raw(out)); }
  void Inverse(Complex* in, Complex* out) const override { fftwf_execute_dft(inverse_, Raw(in), Raw(out)); }

 private:
  fftwf_plan forward_, inverse_;
};

// An even row as a line of half as many complex numbers: FFTW's own transforms of reals take almost twice as long.
class EvenRow final : public RowTransform {
 public:
  explicit EvenRow(int64_t extent) : half_(extent / 2), line_(half_), turns_(static_cast<size_t>(half_ / 2 + 1)) {
    for (size_t k = 0; k < turns_.size(); ++k) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(extent);
      turns_[k] = {static_cast<float>(-std::sin(angle) / 2), static_cast<float>(-std::cos(angle) / 2)};
    }
  }
  void Forward(float* row, Complex* scratch, Complex* spectrum) const override {
    line_.Forward(reinterpret_cast<Complex*>(row), scratch);
    HalfToReal(scratch, turns_.data(), half_, spectrum);
  }
  void Inverse(const Complex* spectrum, Complex* scratch, float* row) const override {
    RealToHalf(spectrum, turns_.data(), half_, scratch);
    line_.Inverse(scratch, reinterpret_cast<Complex*>(row));
  }

 private:
  int64_t half_;
  FftwLine line_;
  std::vector<Complex> turns_;
};

class OddRow final : public RowTransform {
 public:
  explicit OddRow(int64_t extent) : numbers_(extent / 2 + 1) {
    const int n = static_cast<int>(extent);
    const auto row = PlanningMemory(extent), spectrum = PlanningMemory(extent + 1);
    auto* complex = reinterpret_cast<fftwf_complex*>(spectrum.get());
    forward_ = fftwf_plan_dft_r2c_1d(n, row.get(), complex, FFTW_MEASURE | FFTW_DESTROY_INPUT);
    inverse_ = fftwf_plan_dft_c2r_1d(n, complex, row.get(), FFTW_MEASURE | FFTW_DESTROY_INPUT);
  }
  void Forward(float* row, Complex* scratch, Complex* spectrum) const override {
    fftwf_execute_dft_r2c(forward_, row, Raw(scratch));
    std::copy_n(scratch, numbers_, spectrum);
  }
  void Inverse(const Complex* spectrum, Complex* scratch, float* row) const override {
    std::copy_n(spectrum, numbers_, scratch);
    fftwf_execute_dft_c2r(inverse_, Raw(scratch), row);
  }

 private:
  int64_t numbers_;
  fftwf_plan forward_, inverse_;
};

// Held while planning: workers that share a folder plan one after another, each with the others' wisdom, so that all
// choose the same plans and give the same bits. Without a folder, or where it cannot be written, it holds nothing.
class PlanningTurn {
 public:
  explicit PlanningTurn(const fs::path& folder) {
    if (folder.empty()) return;
    std::error_code ignored;
    fs::create_directories(folder, ignored);
    file_ = open((folder / "planning.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    while (file_ >= 0 && flock(file_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  ~PlanningTurn() {
    if (file_ >= 0) close(file_);
  }
  PlanningTurn(const PlanningTurn&) = delete;
  PlanningTurn& operator=(const PlanningTurn&) = delete;

 private:
  int file_ = -1;
};

// Everything about planning; one per process.
class Planner {
 public:
  const LineTransform& Line(int64_t extent, const fs::path& folder) {
    return Get<LineTransform>(lines_, extent, folder, [&] { return std::make_unique<const FftwLine>(extent); });
  }
  const RowTransform& Row(int64_t extent, const fs::path& folder) {
    return Get<RowTransform>(rows_, extent, folder, [&]() -> std::unique_ptr<const RowTransform> {
      if (extent % 2 == 0) return std::make_unique<const EvenRow>(extent);
      return std::make_unique<const OddRow>(extent);
    });
  }

 private:
  template <typename Transform>
  using Kept = std::map<int64_t, std::unique_ptr<const Transform>>;  // by extent

  template <typename Transform, typename Make>
  const Transform& Get(Kept<Transform>& kept, int64_t extent, const fs::path& folder, const Make& make) {
    const std::lock_guard lock(mutex_);
    auto& transform = kept[extent];
    if (transform != nullptr) return *transform;
    const PlanningTurn turn(folder);
    Import(folder);
    transform = make();
    Export(folder);
    return *transform;
  }
  void Import(const fs::path& folder);
  void Export(const fs::path& folder);

  std::mutex mutex_;
  Kept<LineTransform> lines_;
  Kept<RowTransform> rows_;
  std::map<fs::path, std::string> last_export_;  // by folder
};

void Planner::Import(const fs::path& folder) {
  if (folder.empty()) return;
  const fs::path file = WisdomFile(folder);
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return;
  std::ostringstream text;
  text << stream.rdbuf();
  if (fftwf_import_wisdom_from_string(text.str().c_str()) == 0) {
    spdlog::warn("ignoring the FFT wisdom in {}: it is damaged or of another FFTW", file.string());
  }
}

void Planner::Export(const fs::path& folder) {
  if (folder.empty()) return;
  char* text = fftwf_export_wisdom_to_string();
  const std::string wisdom = text != nullptr ? text : "";
  std::free(text);
  if (wisdom.empty() || last_export_[folder] == wisdom) return;
  last_export_[folder] = wisdom;
  const fs::path file = WisdomFile(folder);
  const fs::path part = fmt::format("{}.{}.part", file.string(), getpid());
  std::error_code error;
  std::ofstream stream(part, std::ios::binary);
  stream << wisdom;
  stream.close();
  if (stream) fs::rename(part, file, error);
  if (!stream || error) {
    fs::remove(part, error);
    spdlog::warn("cannot keep the FFT wisdom in {}", file.string());
  }
}

Planner& ThePlanner() {
  static Planner& planner = *new Planner;  // outlives every user
  return planner;
}

std::string ProcessorName() {
  std::ifstream stream("/proc/cpuinfo");
  std::string line, name = "processor";
  while (std::getline(stream, line)) {
    if (line.starts_with("flags")) return fmt::format("{}-{:016x}", name, std::hash<std::string>()(line));
    if (line.starts_with("model name")) name = line.substr(line.find(':') + 1);
  }
  return name;
}

}  // namespace

const LineTransform& LineTransformFor(int64_t extent, const fs::path& wisdom_folder) {
  return ThePlanner().Line(extent, wisdom_folder);
}

const RowTransform& RowTransformFor(int64_t extent, const fs::path& wisdom_folder) {
  return ThePlanner().Row(extent, wisdom_folder);
}

fs::path WisdomFile(const fs::path& folder) {
  std::string name = fmt::format("{}-{}", fftwf_version, ProcessorName());
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '-') c = '_';
  }
  return folder / (name + ".wisdom");
}

}  // namespace deconvoy::worker::cpu
