#include "tests/support/emulated_cuda.h"

#include <fftw3.h>
#include <fmt/format.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "worker/backends/cuda/backend_on.h"
#include "worker/backends/cuda/errors.h"

namespace deconvoy::worker::cuda {
namespace {

constexpr int64_t kNumber = 4;  // bytes

// Counts calls, and fails those that are to fail.
class Faults {
 public:
  explicit Faults(const EmulatedOptions& options) : failing_(options.failing_call), error_(options.error) {}
  absl::Status Count(std::string_view call) {
    if (failing_ == 0 || ++calls_ < failing_) return absl::OkStatus();
    return CudaFailure({.call = call, .device = "emulated", .code = error_, .text = "made to fail"});
  }

 private:
  const int64_t failing_;
  const int error_;
  std::atomic<int64_t> calls_ = 0;
};

std::mutex& PlannerMutex() {
  static std::mutex mutex;  // FFTW's planner is not thread safe
  return mutex;
}

class EmulatedFft final : public Fft {
 public:
  EmulatedFft(const FftShape& shape, std::shared_ptr<Faults> faults) : shape_(shape), faults_(std::move(faults)) {
    const int rank = static_cast<int>(shape.extents.size());
    int n[3] = {}, reals[3] = {}, numbers[3] = {};
    for (size_t i = 0; i < shape.extents.size(); ++i) n[i] = reals[i] = numbers[i] = static_cast<int>(shape.extents[i]);
    const auto stride = static_cast<int>(shape.stride), distance = static_cast<int>(shape.distance),
               batch = static_cast<int>(shape.batch);
    constexpr unsigned kFlags = FFTW_ESTIMATE | FFTW_UNALIGNED;
    const std::lock_guard lock(PlannerMutex());
    std::unique_ptr<float, decltype(&std::free)> memory(
        static_cast<float*>(std::malloc(static_cast<size_t>(8 * Reach()))), &std::free);
    auto* const data = reinterpret_cast<fftwf_complex*>(memory.get());
    if (shape.real) {
      numbers[rank - 1] = n[rank - 1] / 2 + 1;
      reals[rank - 1] = 2 * numbers[rank - 1];
      forward_ = fftwf_plan_many_dft_r2c(rank, n, batch, memory.get(), reals, 1, 2 * distance, data, numbers, 1,
                                         distance, kFlags);
      inverse_ = fftwf_plan_many_dft_c2r(rank, n, batch, data, numbers, 1, distance, memory.get(), reals, 1,
                                         2 * distance, kFlags);
    } else {
      forward_ = fftwf_plan_many_dft(rank, n, batch, data, numbers, stride, distance, data, numbers, stride, distance,
                                     FFTW_FORWARD, kFlags);
      inverse_ = fftwf_plan_many_dft(rank, n, batch, data, numbers, stride, distance, data, numbers, stride, distance,
                                     FFTW_BACKWARD, kFlags);
    }
  }
  ~EmulatedFft() override {
    const std::lock_guard lock(PlannerMutex());
    fftwf_destroy_plan(forward_);
    fftwf_destroy_plan(inverse_);
  }

  // As cuFFT, it leaves something in its workspace, which nobody else may use.
  int64_t workspace_bytes() const override { return 256 * shape_.batch; }
  absl::Status Forward(const LaunchPlace&, float* data, void* workspace) override {
    std::memset(workspace, 0xff, static_cast<size_t>(workspace_bytes()));
    auto* const numbers = reinterpret_cast<fftwf_complex*>(data);
    shape_.real ? fftwf_execute_dft_r2c(forward_, data, numbers) : fftwf_execute_dft(forward_, numbers, numbers);
    return faults_->Count("a transform");
  }
  absl::Status Inverse(const LaunchPlace&, float* data, void* workspace) override {
    std::memset(workspace, 0xff, static_cast<size_t>(workspace_bytes()));
    auto* const numbers = reinterpret_cast<fftwf_complex*>(data);
    shape_.real ? fftwf_execute_dft_c2r(inverse_, numbers, data) : fftwf_execute_dft(inverse_, numbers, numbers);
    return faults_->Count("a transform");
  }

 private:
  // Complex numbers up to the last one that it touches.
  int64_t Reach() const {
    int64_t field = 1;
    for (const int64_t extent : shape_.extents) field *= extent;
    return shape_.distance * shape_.batch + field * shape_.stride;
  }

  const FftShape shape_;
  const std::shared_ptr<Faults> faults_;
  fftwf_plan forward_;
  fftwf_plan inverse_;
};

// Calls move(of the first array's row, of the second's, bytes) for the rows of a box.
template <typename Move>
void ForEachRow(const BoxInArray& a, const BoxInArray& b, const Shape3& box, const Move& move) {
  const auto row = [&](const BoxInArray& array, int64_t z, int64_t y) {
    const int64_t index = ((array.origin.z + z) * array.shape.y + array.origin.y + y) * array.shape.x + array.origin.x;
    return static_cast<char*>(array.data) + index * kNumber;
  };
  for (int64_t z = 0; z < box.z; ++z) {
    for (int64_t y = 0; y < box.y; ++y) move(row(a, z, y), row(b, z, y), static_cast<size_t>(box.x * kNumber));
  }
}

class EmulatedStaging final : public StagedMemory {
 public:
  explicit EmulatedStaging(int64_t bytes) : memory_(static_cast<size_t>(bytes)) {}
  absl::StatusOr<std::span<std::byte>> Bytes() override { return std::span(memory_); }
  void* data() override { return memory_.data(); }

 private:
  std::vector<std::byte> memory_;
};

class EmulatedStream final : public Stream {
 public:
  explicit EmulatedStream(std::shared_ptr<Faults> faults) : faults_(std::move(faults)) {}
  LaunchPlace place() const override { return {}; }
  absl::Status Check(int error, std::string_view call) const override {
    if (error != 0) return absl::InternalError("an emulated kernel fails only where it is made to");
    return faults_->Count(call);
  }
  absl::Status Copy(const void* from, int64_t bytes, void* to) override {
    std::memcpy(to, from, static_cast<size_t>(bytes));
    return faults_->Count("copying");
  }
  absl::Status Clear(void* data, int64_t bytes) override {
    std::memset(data, 0, static_cast<size_t>(bytes));
    return faults_->Count("clearing");
  }
  absl::Status Upload(const BoxInArray& host, const BoxInArray& device, const Shape3& box) override {
    ForEachRow(host, device, box, [](const char* from, char* to, size_t bytes) { std::memcpy(to, from, bytes); });
    return faults_->Count("an upload");
  }
  absl::Status Download(const BoxInArray& device, const BoxInArray& host, const Shape3& box) override {
    ForEachRow(device, host, box, [](const char* from, char* to, size_t bytes) { std::memcpy(to, from, bytes); });
    return faults_->Count("a download");
  }
  absl::StatusOr<std::unique_ptr<StagedMemory>> Stage(int64_t bytes) override {
    return std::make_unique<EmulatedStaging>(bytes);
  }
  absl::Status Send(StagedMemory& from, int64_t bytes, void* device) override {
    std::memcpy(device, from.data(), static_cast<size_t>(bytes));
    return faults_->Count("sending");
  }
  absl::Status Fetch(const void* device, int64_t bytes, StagedMemory& to) override {
    std::memcpy(to.data(), device, static_cast<size_t>(bytes));
    return faults_->Count("fetching");
  }
  absl::Status Wait() override { return faults_->Count("waiting"); }

 private:
  const std::shared_ptr<Faults> faults_;
};

class EmulatedRuntime final : public Runtime {
 public:
  explicit EmulatedRuntime(const EmulatedOptions& options)
      : memory_(std::aligned_alloc(512, static_cast<size_t>(options.memory_bytes)), &std::free),
        faults_(std::make_shared<Faults>(options)),
        arena_(memory_.get(), options.memory_bytes, "emulated") {
    std::memset(memory_.get(), 0xff, static_cast<size_t>(options.memory_bytes));
  }
  std::string device() const override { return "emulated CUDA device"; }
  Arena& arena() override { return arena_; }
  absl::StatusOr<std::unique_ptr<Stream>> MakeStream() override { return std::make_unique<EmulatedStream>(faults_); }
  absl::StatusOr<std::unique_ptr<Fft>> MakeFft(const FftShape& shape) override {
    return std::make_unique<EmulatedFft>(shape, faults_);
  }

 private:
  const std::unique_ptr<void, decltype(&std::free)> memory_;
  const std::shared_ptr<Faults> faults_;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Runtime> MakeEmulatedRuntime(const EmulatedOptions& options) {
  return std::make_unique<EmulatedRuntime>(options);
}

std::unique_ptr<Backend> MakeEmulatedCuda(const EmulatedOptions& options) {
  return MakeBackendOn(MakeEmulatedRuntime(options), {.chunk_bytes = options.chunk_bytes});
}

}  // namespace deconvoy::worker::cuda
