#include "worker/backends/cuda/backend_on.h"

#include <optional>
#include <string>
#include <utility>

#include "proto/contract/status_macros.h"
#include "worker/backends/cuda/cuda_ops.h"
#include "worker/backends/cuda/fft_pool.h"

namespace deconvoy::worker::cuda {
namespace {

class CudaBackend final : public Backend {
 public:
  CudaBackend(std::unique_ptr<Runtime> runtime, const BackendOnOptions& options)
      : runtime_(std::move(runtime)), options_(options), ffts_(runtime_.get()) {}

  std::string name() const override { return "cuda"; }
  std::string device() const override { return runtime_->device(); }
  int threads() const override { return options_.threads; }
  std::optional<v1::Accelerator> accelerator() const override { return options_.accelerator; }

  absl::StatusOr<std::unique_ptr<Ops>> Open(const Shape3& domain) override {
    ASSIGN_OR_RETURN(auto convolver, Convolver::Make(domain, options_.chunk_bytes, runtime_.get(), &ffts_));
    return CudaOps::Make(std::move(convolver));
  }

 private:
  const std::unique_ptr<Runtime> runtime_;
  const BackendOnOptions options_;
  FftPool ffts_;
};

}  // namespace

std::unique_ptr<Backend> MakeBackendOn(std::unique_ptr<Runtime> runtime, const BackendOnOptions& options) {
  return std::make_unique<CudaBackend>(std::move(runtime), options);
}

}  // namespace deconvoy::worker::cuda
