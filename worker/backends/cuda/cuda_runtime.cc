#include "worker/backends/cuda/cuda_runtime.h"

#include <cuda_runtime.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/status_macros.h"
#include "worker/backends/cuda/cufft_library.h"
#include "worker/backends/cuda/errors.h"

namespace deconvoy::worker::cuda {
namespace {

constexpr size_t kNumber = 4;             // bytes of an element of a copy
constexpr int64_t kLeastWorkspace = 512;  // so that there always is one

// The device of a process's calls, and its name in errors.
struct Place {
  int index;
  std::string name;

  absl::Status Check(cudaError_t error, std::string_view call, int64_t bytes = 0) const {
    if (error == cudaSuccess) return absl::OkStatus();
    cudaGetLastError();  // else the start of the thread's next kernel tells it again
    return CudaFailure(
        {.call = call, .device = name, .code = error, .text = cudaGetErrorString(error), .bytes = bytes});
  }
  // Makes it the thread's own.
  absl::Status Enter() const { return Check(cudaSetDevice(index), "cudaSetDevice"); }
};

std::string_view TextOf(cufftResult error) {
  switch (error) {
    case CUFFT_INVALID_PLAN:
      return "invalid plan";
    case CUFFT_ALLOC_FAILED:
      return "no memory";
    case CUFFT_INVALID_VALUE:
      return "invalid value";
    case CUFFT_INTERNAL_ERROR:
      return "internal error";
    case CUFFT_EXEC_FAILED:
      return "execution failed";
    case CUFFT_SETUP_FAILED:
      return "set-up failed";
    case CUFFT_INVALID_SIZE:
      return "invalid size";
    case CUFFT_NO_WORKSPACE:
      return "no workspace";
    default:
      return "error of cuFFT";
  }
}

absl::Status CheckFft(const Place& place, cufftResult error, std::string_view call, int64_t bytes = 0) {
  if (error == CUFFT_SUCCESS) return absl::OkStatus();
  return CufftFailure({.call = call, .device = place.name, .code = error, .text = TextOf(error), .bytes = bytes});
}

// Of a call that makes a plan, which takes memory of the device that cuFFT does not name where it lacks.
absl::Status CheckPlan(const Place& place, cufftResult error, std::string_view call) {
  if (error == CUFFT_SUCCESS) return absl::OkStatus();
  size_t free = 0, total = 0;
  const bool known = cudaMemGetInfo(&free, &total) == cudaSuccess;
  cudaGetLastError();  // else the start of the thread's next kernel tells it again
  return CufftFailure({.call = call,
                       .device = place.name,
                       .code = error,
                       .text = TextOf(error),
                       .planning_free_bytes = known ? std::optional<int64_t>(free) : std::nullopt});
}

class PinnedMemory final : public StagedMemory {
 public:
  static absl::StatusOr<std::unique_ptr<PinnedMemory>> Make(const Place& place, int64_t bytes) {
    RETURN_IF_ERROR(place.Enter());
    std::unique_ptr<PinnedMemory> memory(new PinnedMemory(place, static_cast<size_t>(bytes)));
    RETURN_IF_ERROR(place.Check(cudaMallocHost(&memory->data_, memory->bytes_), "cudaMallocHost", bytes));
    RETURN_IF_ERROR(
        place.Check(cudaEventCreateWithFlags(&memory->copied_, cudaEventDisableTiming), "cudaEventCreateWithFlags"));
    return memory;
  }
  ~PinnedMemory() override {
    if (!place_.Enter().ok()) return;
    if (copied_ != nullptr) {
      cudaEventSynchronize(copied_);
      cudaEventDestroy(copied_);
    }
    cudaFreeHost(data_);
  }

  absl::StatusOr<std::span<std::byte>> Bytes() override {
    RETURN_IF_ERROR(place_.Enter());
    RETURN_IF_ERROR(place_.Check(cudaEventSynchronize(copied_), "cudaEventSynchronize"));
    return std::span(static_cast<std::byte*>(data_), bytes_);
  }
  void* data() override { return data_; }
  // After the copy that was started last.
  cudaEvent_t copied() const { return copied_; }

 private:
  PinnedMemory(Place place, size_t bytes) : place_(std::move(place)), bytes_(bytes) {}

  const Place place_;
  const size_t bytes_;
  void* data_ = nullptr;
  cudaEvent_t copied_ = nullptr;
};

class CudaStream final : public Stream {
 public:
  static absl::StatusOr<std::unique_ptr<Stream>> Make(const Place& place) {
    RETURN_IF_ERROR(place.Enter());
    cudaStream_t stream = nullptr;
    RETURN_IF_ERROR(
        place.Check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags"));
    return std::unique_ptr<Stream>(new CudaStream(place, stream));
  }
  ~CudaStream() override {
    if (place_.Enter().ok()) cudaStreamDestroy(stream_);
  }

  LaunchPlace place() const override { return {.device = place_.index, .stream = stream_}; }
  absl::Status Check(int error, std::string_view call) const override {
    return place_.Check(static_cast<cudaError_t>(error), call);
  }
  absl::Status Copy(const void* from, int64_t bytes, void* to) override {
    RETURN_IF_ERROR(place_.Enter());
    return place_.Check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, stream_),
                        "cudaMemcpyAsync", bytes);
  }
  absl::Status Clear(void* data, int64_t bytes) override {
    RETURN_IF_ERROR(place_.Enter());
    return place_.Check(cudaMemsetAsync(data, 0, static_cast<size_t>(bytes), stream_), "cudaMemsetAsync", bytes);
  }
  absl::Status Upload(const BoxInArray& host, const BoxInArray& device, const Shape3& box) override {
    RETURN_IF_ERROR(StartCopy(host, device, box, cudaMemcpyHostToDevice));
    return Wait();
  }
  absl::Status Download(const BoxInArray& device, const BoxInArray& host, const Shape3& box) override {
    RETURN_IF_ERROR(StartCopy(device, host, box, cudaMemcpyDeviceToHost));
    return Wait();
  }
  absl::StatusOr<std::unique_ptr<StagedMemory>> Stage(int64_t bytes) override {
    return PinnedMemory::Make(place_, bytes);
  }
  absl::Status Send(StagedMemory& from, int64_t bytes, void* device) override {
    RETURN_IF_ERROR(place_.Enter());
    RETURN_IF_ERROR(
        place_.Check(cudaMemcpyAsync(device, from.data(), static_cast<size_t>(bytes), cudaMemcpyHostToDevice, stream_),
                     "cudaMemcpyAsync", bytes));
    return Mark(from);
  }
  absl::Status Fetch(const void* device, int64_t bytes, StagedMemory& to) override {
    RETURN_IF_ERROR(place_.Enter());
    RETURN_IF_ERROR(
        place_.Check(cudaMemcpyAsync(to.data(), device, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, stream_),
                     "cudaMemcpyAsync", bytes));
    return Mark(to);
  }
  absl::Status Wait() override {
    RETURN_IF_ERROR(place_.Enter());
    return place_.Check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  }

 private:
  CudaStream(Place place, cudaStream_t stream) : place_(std::move(place)), stream_(stream) {}

  static bool HoldsWholePlanes(const BoxInArray& array, const Shape3& box) {
    return array.shape.y == box.y && array.shape.x == box.x;
  }

  absl::Status Mark(StagedMemory& memory) const {
    return place_.Check(cudaEventRecord(static_cast<PinnedMemory&>(memory).copied(), stream_), "cudaEventRecord");
  }

  absl::Status StartCopy(const BoxInArray& from, const BoxInArray& to, const Shape3& box, cudaMemcpyKind kind) {
    RETURN_IF_ERROR(place_.Enter());
    const int64_t bytes = box.voxels() * static_cast<int64_t>(kNumber);
    if (HoldsWholePlanes(from, box) && HoldsWholePlanes(to, box)) {
      const auto start = [&](const BoxInArray& array) {
        return static_cast<char*>(array.data) + array.origin.z * box.y * box.x * static_cast<int64_t>(kNumber);
      };
      return place_.Check(cudaMemcpyAsync(start(to), start(from), static_cast<size_t>(bytes), kind, stream_),
                          "cudaMemcpyAsync", bytes);
    }
    const auto pitched = [](const BoxInArray& array) {
      const size_t row = static_cast<size_t>(array.shape.x) * kNumber;
      return make_cudaPitchedPtr(array.data, row, row, static_cast<size_t>(array.shape.y));
    };
    const auto position = [](const Voxel& origin) {
      return make_cudaPos(static_cast<size_t>(origin.x) * kNumber, static_cast<size_t>(origin.y),
                          static_cast<size_t>(origin.z));
    };
    cudaMemcpy3DParms copy{};
    copy.srcPtr = pitched(from);
    copy.srcPos = position(from.origin);
    copy.dstPtr = pitched(to);
    copy.dstPos = position(to.origin);
    copy.extent =
        make_cudaExtent(static_cast<size_t>(box.x) * kNumber, static_cast<size_t>(box.y), static_cast<size_t>(box.z));
    copy.kind = kind;
    return place_.Check(cudaMemcpy3DAsync(&copy, stream_), "cudaMemcpy3DAsync", bytes);
  }

  const Place place_;
  const cudaStream_t stream_;
};

class CufftPlan final {
 public:
  explicit CufftPlan(const CufftLibrary* library) : library_(library) {}
  CufftPlan(const CufftPlan&) = delete;
  CufftPlan& operator=(const CufftPlan&) = delete;
  ~CufftPlan() {
    if (made_) library_->Destroy(plan_);
  }

  // Plans without memory of its own.
  absl::Status Make(const Place& place, const FftShape& shape, cufftType type) {
    auto n = shape.extents, from = n, to = n;
    const int64_t row = n.back() / 2 + 1;
    int64_t from_distance = shape.distance, to_distance = shape.distance;
    if (type == CUFFT_R2C) {
      from.back() = 2 * row, to.back() = row;
      from_distance *= 2;
    } else if (type == CUFFT_C2R) {
      from.back() = row, to.back() = 2 * row;
      to_distance *= 2;
    }
    RETURN_IF_ERROR(CheckPlan(place, library_->Create(&plan_), "cufftCreate"));
    made_ = true;
    RETURN_IF_ERROR(CheckFft(place, library_->SetAutoAllocation(plan_, 0), "cufftSetAutoAllocation"));
    const auto numbers = [](std::vector<int64_t>& values) {
      return std::vector<long long>(values.begin(), values.end());
    };
    std::vector<long long> extents = numbers(n), from_extents = numbers(from), to_extents = numbers(to);
    size_t workspace = 0;
    RETURN_IF_ERROR(
        CheckPlan(place,
                  library_->MakePlanMany64(plan_, static_cast<int>(n.size()), extents.data(), from_extents.data(),
                                           shape.stride, from_distance, to_extents.data(), shape.stride, to_distance,
                                           type, shape.batch, &workspace),
                  fmt::format("cufftMakePlanMany64 of {} x {}, stride {}", shape.batch, fmt::join(shape.extents, " x "),
                              shape.stride)));
    workspace_ = static_cast<int64_t>(workspace);
    return absl::OkStatus();
  }

  int64_t workspace_bytes() const { return workspace_; }
  // Ready to run in a stream with this workspace.
  absl::StatusOr<cufftHandle> At(const Place& place, const LaunchPlace& launch, void* workspace) {
    RETURN_IF_ERROR(place.Enter());
    RETURN_IF_ERROR(
        CheckFft(place, library_->SetStream(plan_, static_cast<cudaStream_t>(launch.stream)), "cufftSetStream"));
    RETURN_IF_ERROR(CheckFft(place, library_->SetWorkArea(plan_, workspace), "cufftSetWorkArea", workspace_));
    return plan_;
  }

 private:
  const CufftLibrary* library_;
  cufftHandle plan_ = 0;
  bool made_ = false;
  int64_t workspace_ = 0;
};

class CudaFft final : public Fft {
 public:
  static absl::StatusOr<std::unique_ptr<Fft>> Make(const Place& place, const CufftLibrary* library,
                                                   const FftShape& shape) {
    RETURN_IF_ERROR(place.Enter());
    std::unique_ptr<CudaFft> fft(new CudaFft(place, library, shape.real));
    RETURN_IF_ERROR(fft->forward_.Make(place, shape, shape.real ? CUFFT_R2C : CUFFT_C2C));
    if (shape.real) RETURN_IF_ERROR(fft->inverse_.Make(place, shape, CUFFT_C2R));
    return std::unique_ptr<Fft>(std::move(fft));
  }

  int64_t workspace_bytes() const override {
    return std::max({forward_.workspace_bytes(), inverse_.workspace_bytes(), kLeastWorkspace});
  }
  absl::Status Forward(const LaunchPlace& launch, float* data, void* workspace) override {
    ASSIGN_OR_RETURN(const cufftHandle plan, forward_.At(place_, launch, workspace));
    if (!real_) return Exec(plan, data, CUFFT_FORWARD);
    return CheckFft(place_, library_->ExecR2C(plan, data, reinterpret_cast<cufftComplex*>(data)), "cufftExecR2C");
  }
  absl::Status Inverse(const LaunchPlace& launch, float* data, void* workspace) override {
    ASSIGN_OR_RETURN(const cufftHandle plan, (real_ ? inverse_ : forward_).At(place_, launch, workspace));
    if (!real_) return Exec(plan, data, CUFFT_INVERSE);
    return CheckFft(place_, library_->ExecC2R(plan, reinterpret_cast<cufftComplex*>(data), data), "cufftExecC2R");
  }

 private:
  CudaFft(Place place, const CufftLibrary* library, bool real)
      : place_(std::move(place)), library_(library), real_(real), forward_(library), inverse_(library) {}

  absl::Status Exec(cufftHandle plan, float* data, int direction) {
    auto* const numbers = reinterpret_cast<cufftComplex*>(data);
    return CheckFft(place_, library_->ExecC2C(plan, numbers, numbers, direction), "cufftExecC2C");
  }

  const Place place_;
  const CufftLibrary* const library_;
  const bool real_;
  CufftPlan forward_;
  CufftPlan inverse_;  // where real; else the one plan does both
};

class CudaBlocks final : public BlockSource {
 public:
  explicit CudaBlocks(Place place) : place_(std::move(place)) {}
  void* Take(int64_t bytes) override {
    void* data = nullptr;
    if (!place_.Enter().ok()) return nullptr;
    return place_.Check(cudaMalloc(&data, static_cast<size_t>(bytes)), "cudaMalloc", bytes).ok() ? data : nullptr;
  }
  void GiveBack(void* data) override {
    if (place_.Enter().ok()) cudaFree(data);
  }

 private:
  const Place place_;
};

class CudaRuntime final : public Runtime {
 public:
  CudaRuntime(Place place, const CufftLibrary* library, void* memory, int64_t bytes)
      : place_(std::move(place)),
        library_(library),
        memory_(memory),
        blocks_(place_),
        arena_(memory, bytes, place_.name) {}
  // With an allocation for each block.
  CudaRuntime(Place place, const CufftLibrary* library, int64_t bytes)
      : place_(std::move(place)),
        library_(library),
        memory_(nullptr),
        blocks_(place_),
        arena_(&blocks_, bytes, place_.name) {}
  ~CudaRuntime() override {
    if (place_.Enter().ok()) cudaFree(memory_);
  }

  std::string device() const override { return place_.name; }
  Arena& arena() override { return arena_; }
  absl::StatusOr<std::unique_ptr<Stream>> MakeStream() override { return CudaStream::Make(place_); }
  absl::StatusOr<std::unique_ptr<Fft>> MakeFft(const FftShape& shape) override {
    return CudaFft::Make(place_, library_, shape);
  }

 private:
  const Place place_;
  const CufftLibrary* const library_;
  void* const memory_;  // null where each block is an allocation
  CudaBlocks blocks_;
  Arena arena_;
};

Place PlaceOf(const Device& device) {
  return {.index = device.index, .name = fmt::format("{} (device {})", device.name, device.index)};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Runtime>> MakeCudaRuntime(const Device& device, int64_t memory_bytes, bool separate) {
  ASSIGN_OR_RETURN(const CufftLibrary* const library, LoadCufft());
  Place place = PlaceOf(device);
  RETURN_IF_ERROR(place.Enter());
  if (separate) return std::make_unique<CudaRuntime>(std::move(place), library, memory_bytes);
  void* memory = nullptr;
  RETURN_IF_ERROR(place.Check(cudaMalloc(&memory, static_cast<size_t>(memory_bytes)), "cudaMalloc", memory_bytes));
  return std::make_unique<CudaRuntime>(std::move(place), library, memory, memory_bytes);
}

absl::StatusOr<int64_t> FreeBytes(const Device& device) {
  const Place place = PlaceOf(device);
  RETURN_IF_ERROR(place.Enter());
  size_t free = 0, total = 0;
  RETURN_IF_ERROR(place.Check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo"));
  return static_cast<int64_t>(free);
}

}  // namespace deconvoy::worker::cuda
