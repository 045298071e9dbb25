// The process that runs a model: what it does before and after it can do nothing but compute.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <torch/script.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <new>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/learned/network_module.h"
#include "worker/learned/sandbox.h"
#include "worker/learned/script.h"
#include "worker/learned/script_process.h"
#include "worker/learned/script_wire.h"
#include "worker/learned/torch_status.h"

namespace deconvoy::worker::learned {
namespace {

constexpr int64_t kMostVoxels = int64_t{1} << 40;
constexpr int kLargeBlock = 1 << 20;  // bytes that go back to the system at once when they are freed

std::atomic<bool> asked{false};

// Blocking; false at the end of the socket.
bool ReadAll(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::read(kScriptSocket, bytes.data(), std::min<size_t>(bytes.size(), INT_MAX));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
  return true;
}

bool WriteAll(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(kScriptSocket, bytes.data(), std::min<size_t>(bytes.size(), INT_MAX));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
  return true;
}

// So many bytes that nobody wants.
bool Skip(int64_t bytes) {
  std::array<std::byte, 4096> some;
  for (; bytes > 0; bytes -= static_cast<int64_t>(some.size())) {
    if (!ReadAll(std::span(some).first(std::min(static_cast<size_t>(bytes), some.size())))) return false;
  }
  return true;
}

template <typename T>
bool Take(T& value) {
  return ReadAll(std::as_writable_bytes(std::span(&value, 1)));
}

bool Say(ScriptSays says, std::span<const std::byte> bytes = {}) {
  const ScriptAnswer answer{.says = says, .bytes = bytes.size()};
  return WriteAll(std::as_bytes(std::span(&answer, 1))) && WriteAll(bytes);
}

bool SayRefusal(const absl::Status& status) {
  std::string text(status.message().substr(0, kMostScriptText));
  const v1::ErrorReason reason = ReasonOf(status);
  const ScriptSays says = reason == v1::OUT_OF_MEMORY ? ScriptSays::kNoMemory
                          : reason == v1::BAD_OUTPUT  ? ScriptSays::kBadOutput
                                                      : ScriptSays::kFailed;
  return Say(says, std::as_bytes(std::span(text)));
}

absl::Status BadOutput(const std::string& what) {
  return MakeError({.reason = v1::BAD_OUTPUT}, what);
}

// What an interpreter says ends with the reason; before it comes where in the program that was.
absl::Status ScriptError(std::string_view doing, std::string_view words) {
  constexpr size_t kMost = 600;
  const absl::Status status = TorchError(doing, words);
  if (ReasonOf(status) == v1::OUT_OF_MEMORY) return status;
  std::string last(words.substr(words.size() - std::min(words.size(), kMost)));
  std::replace(last.begin(), last.end(), '\n', ' ');
  return absl::InternalError(fmt::format("{} failed: {}{}", doing, words.size() > kMost ? "... " : "", last));
}

// What `compute` returns, or what it threw as a status.
template <typename Compute>
auto Tried(std::string_view doing, const Compute& compute) -> decltype(compute()) {
  try {
    return compute();
  } catch (const c10::Error& error) {
    return ScriptError(doing, error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return TorchError(doing, "can't allocate memory");
  } catch (const std::exception& error) {
    return ScriptError(doing, error.what());
  }
}

// Starts the threads, and has the libraries look at the machine while they can. Tasks that a model forks share one.
void WarmUp(int threads) {
  at::set_num_threads(threads);
  at::set_num_interop_threads(1);
  torch::jit::setGraphExecutorOptimize(false);
  const torch::NoGradGuard no_gradients;
  const torch::Tensor image = torch::rand({1, 1, 24, 48, 48});
  const torch::Tensor features = torch::conv3d(image, torch::rand({8, 1, 3, 3, 3}), {}, 1, 1);
  const torch::Tensor pooled = torch::max_pool3d(torch::relu(features), 2);
  torch::conv_transpose3d(pooled, torch::rand({8, 4, 2, 2, 2}), {}, 2);
  torch::matmul(torch::rand({128, 128}), torch::rand({128, 128}));
}

// Random numbers of the processors alone: torch::manual_seed would look for GPUs, which nothing here may open.
void Seed() {
  at::Generator numbers = at::globalContext().defaultGenerator(at::kCPU);
  const std::lock_guard lock(numbers.mutex());
  numbers.set_current_seed(0);
}

class ScriptRunner {
 public:
  explicit ScriptRunner(const ScriptSetup& setup)
      : input_axes_(setup.input_axes.data()), output_axes_(setup.output_axes.data()) {}

  // The number of its parameters.
  absl::StatusOr<int64_t> Load(std::string file) {
    return Tried("loading the model", [&]() -> absl::StatusOr<int64_t> {
      const torch::NoGradGuard no_gradients;
      std::istringstream in(std::move(file));
      loaded_ = torch::jit::load(in, torch::kCPU);
      loaded_.eval();
      int64_t parameters = 0;
      for (const torch::Tensor& tensor : loaded_.parameters()) parameters += tensor.numel();
      used_ = loaded_.deepcopy();  // counts as the model's memory, and not as that of boxes
      return parameters;
    });
  }

  // Of a model as it was loaded, whatever it has done to itself with the boxes before. `image` is the model's to keep.
  absl::StatusOr<torch::Tensor> Restore(const torch::Tensor& image, const ScriptBox& box) {
    return Tried("applying the model", [&]() -> absl::StatusOr<torch::Tensor> {
      const torch::NoGradGuard no_gradients;
      used_ = torch::jit::Module();  // first, so that there are never three
      used_ = loaded_.deepcopy();
      Seed();
      const torch::IValue result = used_.forward({Ordered(image)});
      return ReadResult(result, box);
    });
  }

 private:
  // From z, y, x to the axes of the model's input.
  torch::Tensor Ordered(const torch::Tensor& image) const {
    std::vector<int64_t> order;
    for (const char axis : input_axes_) {
      if (const size_t at = std::string("zyx").find(axis); at != std::string::npos) {
        order.push_back(static_cast<int64_t>(at));
      }
    }
    torch::Tensor ordered = image.permute(order);
    for (size_t i = 0; i < input_axes_.size(); ++i) {
      if (input_axes_[i] == 'b' || input_axes_[i] == 'c') ordered = ordered.unsqueeze(static_cast<int64_t>(i));
    }
    return ordered.contiguous();
  }

  absl::StatusOr<torch::Tensor> ReadResult(const torch::IValue& result, const ScriptBox& box) const {
    if (!result.isTensor()) return BadOutput("the model gives '" + result.tagKind() + "', and not one tensor");
    const torch::Tensor tensor = result.toTensor();
    if (tensor.scalar_type() != torch::kFloat32) return BadOutput("the model gives other numbers than float32");
    std::vector<int64_t> expected, order(3);
    for (size_t i = 0; i < output_axes_.size(); ++i) {
      const size_t at = std::string("zyx").find(output_axes_[i]);
      expected.push_back(at == std::string::npos ? 1 : std::array{box.z, box.y, box.x}[at]);
      if (at != std::string::npos) order[at] = static_cast<int64_t>(i);
    }
    if (tensor.sizes().vec() != expected) {
      return BadOutput(fmt::format("the model gives a tensor of [{}], and by its descriptor it gives [{}]",
                                   fmt::join(tensor.sizes().vec(), ", "), fmt::join(expected, ", ")));
    }
    for (int64_t i = 0; i < tensor.dim(); ++i) {
      if (std::find(order.begin(), order.end(), i) == order.end()) order.push_back(i);
    }
    return tensor.to(torch::kCPU).permute(order).contiguous();
  }

  const std::string input_axes_, output_axes_;
  torch::jit::Module loaded_;  // never applied
  torch::jit::Module used_;    // its copy for the box at hand
};

// False where there is nobody to talk to.
bool RunBox(ScriptRunner& runner, const ScriptBox& box) {
  const bool sound = box.z > 0 && box.y > 0 && box.x > 0 && box.z < kMostVoxels && box.y < kMostVoxels / box.z &&
                     box.x < kMostVoxels / box.z / box.y;
  if (!sound) return false;
  const auto voxels = static_cast<size_t>(box.z * box.y * box.x);
  absl::StatusOr<torch::Tensor> image = Tried("taking a box", [&]() -> absl::StatusOr<torch::Tensor> {
    return torch::empty({box.z, box.y, box.x}, torch::kFloat32);
  });
  if (!image.ok()) return Skip(static_cast<int64_t>(voxels * sizeof(float))) && SayRefusal(image.status());
  if (!ReadAll(std::as_writable_bytes(std::span(image->data_ptr<float>(), voxels)))) return false;
  const absl::StatusOr<torch::Tensor> restored = runner.Restore(*std::move(image), box);
  if (!restored.ok()) return SayRefusal(restored.status());
  return Say(ScriptSays::kResult, std::as_bytes(std::span(restored->data_ptr<float>(), voxels)));
}

// What the worker has open and did not mean to hand on.
absl::Status CloseWhatIsLeft() {
  if (::close_range(kScriptSocket + 1, ~0U, 0) == 0) return absl::OkStatus();
  return absl::InternalError(fmt::format("close_range failed: {}", std::strerror(errno)));
}

int Run() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a parent that has gone before is seen by its end of the socket
  ::signal(SIGPIPE, SIG_IGN);
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_MMAP_THRESHOLD, kLargeBlock);
  ScriptSetup setup;
  if (!Take(setup) || setup.input_axes.back() != 0 || setup.output_axes.back() != 0) return 1;
  std::string file(setup.file_bytes, '\0');
  if (!ReadAll(std::as_writable_bytes(std::span(file)))) return 1;
  const absl::Status ready = Tried("preparing to run a model", [&] {
    RETURN_IF_ERROR(CloseWhatIsLeft());
    WarmUp(static_cast<int>(setup.threads));
    return EnterSandbox();
  });
  if (!ready.ok()) return SayRefusal(ready) ? 1 : 2;
  ScriptBox box;
  if (!Say(ScriptSays::kReady) || !Take(box)) return 1;
  ScriptRunner runner(setup);
  const absl::StatusOr<int64_t> parameters = runner.Load(std::move(file));
  if (!parameters.ok()) return SayRefusal(parameters.status()) ? 1 : 2;
  if (!Say(ScriptSays::kLoaded, std::as_bytes(std::span(&*parameters, 1)))) return 1;
  while (Take(box)) {
    if (!RunBox(runner, box)) return 1;
  }
  return 0;
}

// Where a loader has started this program, /proc/self/exe is the loader.
bool IsOwnProgram() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return !error && !program.filename().string().starts_with("ld-");
}

}  // namespace

std::optional<int> RunScriptProcess(int argc, const char* const* argv) {
  asked = true;
  RememberProcessors();
  if (argc != 2 || std::string_view(argv[1]) != kScriptFlag) return std::nullopt;
  try {
    ::_exit(Run());  // nothing else is to be done on the way out
  } catch (const std::bad_alloc&) {
    ::_exit(SayRefusal(MakeError({.reason = v1::OUT_OF_MEMORY}, "no memory is left for the box")) ? 1 : 2);
  } catch (const std::exception&) {
    ::_exit(2);
  }
}

std::string ScriptsUnavailable() {
  if (!asked) return "this program runs no models that are programs";
  if (!IsOwnProgram()) return "models that are programs cannot be run by a program that a loader has started";
  if (!SandboxAvailable()) return "this system cannot keep a process from all but computing (seccomp, close_range)";
  return "";
}

}  // namespace deconvoy::worker::learned
