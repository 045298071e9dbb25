#include "worker/backends/cpu/fft_plans.h"

#include <fcntl.h>
#include <fftw3.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

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

class FftwRow final : public RowTransform {
 public:
  explicit FftwRow(int64_t extent) {
    const int n = static_cast<int>(extent);
    const auto row = PlanningMemory(extent);
    const auto spectrum = PlanningMemory(extent + 2);
    auto* complex = reinterpret_cast<fftwf_complex*>(spectrum.get());
    forward_ = fftwf_plan_dft_r2c_1d(n, row.get(), complex, FFTW_MEASURE | FFTW_DESTROY_INPUT);
    inverse_ = fftwf_plan_dft_c2r_1d(n, complex, row.get(), FFTW_MEASURE | FFTW_DESTROY_INPUT);
  }
  void Forward(float* row, Complex* spectrum) const override { fftwf_execute_dft_r2c(forward_, row, Raw(spectrum)); }
  void Inverse(Complex* spectrum, float* row) const override { fftwf_execute_dft_c2r(inverse_, Raw(spectrum), row); }

 private:
  fftwf_plan forward_, inverse_;
};

class FftwColumns final : public ColumnTransform {
 public:
  FftwColumns(int64_t extent, int64_t width) {
    const auto columns = PlanningMemory(2 * extent * width);
    auto* complex = reinterpret_cast<fftwf_complex*>(columns.get());
    const int n = static_cast<int>(extent), w = static_cast<int>(width);
    const auto plan = [&](int sign) {
      return fftwf_plan_many_dft(1, &n, w, complex, nullptr, w, 1, complex, nullptr, w, 1, sign, FFTW_MEASURE);
    };
    forward_ = plan(FFTW_FORWARD);
    inverse_ = plan(FFTW_BACKWARD);
  }
  void Forward(Complex* columns) const override { fftwf_execute_dft(forward_, Raw(columns), Raw(columns)); }
  void Inverse(Complex* columns) const override { fftwf_execute_dft(inverse_, Raw(columns), Raw(columns)); }

 private:
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
  template <typename Transform, typename... Extents>
  const Transform& Get(std::map<std::pair<int64_t, int64_t>, std::unique_ptr<const Transform>>& kept,
                       std::pair<int64_t, int64_t> key, const fs::path& folder, Extents... extents) {
    const std::lock_guard lock(mutex_);
    auto& transform = kept[key];
    if (transform != nullptr) return *transform;
    const PlanningTurn turn(folder);
    Import(folder);
    transform = std::make_unique<const Transform>(extents...);
    Export(folder);
    return *transform;
  }

  // Guarded by the planner's mutex.
  std::map<std::pair<int64_t, int64_t>, std::unique_ptr<const FftwRow>> rows;
  std::map<std::pair<int64_t, int64_t>, std::unique_ptr<const FftwColumns>> columns;

 private:
  void Import(const fs::path& folder);
  void Export(const fs::path& folder);

  std::mutex mutex_;
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

const RowTransform& RowTransformFor(int64_t extent, const fs::path& wisdom_folder) {
  Planner& planner = ThePlanner();
  return planner.Get(planner.rows, {extent, 1}, wisdom_folder, extent);
}

const ColumnTransform& ColumnTransformFor(int64_t extent, int64_t width, const fs::path& wisdom_folder) {
  Planner& planner = ThePlanner();
  return planner.Get(planner.columns, {extent, width}, wisdom_folder, extent, width);
}

fs::path WisdomFile(const fs::path& folder) {
  std::string name = fmt::format("{}-{}", fftwf_version, ProcessorName());
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '-') c = '_';
  }
  return folder / (name + ".wisdom");
}

}  // namespace deconvoy::worker::cpu
