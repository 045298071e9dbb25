#include "worker/backends/cuda/backend_on.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/status_macros.h"
#include "worker/backends/cuda/cuda_ops.h"
#include "worker/backends/cuda/fft_pool.h"
#include "worker/backends/cuda/staging_pool.h"

namespace deconvoy::worker::cuda {
namespace {

// What a backend and its halves share.
struct SharedDevice {
  SharedDevice(std::unique_ptr<Runtime> its_runtime, const BackendOnOptions& its_options)
      : runtime(std::move(its_runtime)), options(its_options), ffts(runtime.get()) {}

  const std::unique_ptr<Runtime> runtime;
  const BackendOnOptions options;
  FftPool ffts;
  const std::shared_ptr<StagingPool> stagings = std::make_shared<StagingPool>();
};

class CudaBackend final : public Backend {
 public:
  CudaBackend(std::shared_ptr<SharedDevice> shared, ArenaPart part) : shared_(std::move(shared)), part_(part) {}

  std::string name() const override { return "cuda"; }
  std::string device() const override { return shared_->runtime->device(); }
  int threads() const override { return shared_->options.threads; }
  std::optional<v1::Accelerator> accelerator() const override { return shared_->options.accelerator; }

  absl::StatusOr<std::unique_ptr<Ops>> Open(const Shape3& domain) override {
    ASSIGN_OR_RETURN(auto convolver, Convolver::Make(domain, shared_->options.chunk_bytes, shared_->runtime.get(),
                                                     &shared_->ffts, part_));
    return CudaOps::Make(std::move(convolver), shared_->stagings);
  }

  std::vector<std::unique_ptr<Backend>> MakeHalves() override {
    std::vector<std::unique_ptr<Backend>> halves;
    if (part_ != ArenaPart::kWhole) return halves;
    for (const ArenaPart half : {ArenaPart::kFirstHalf, ArenaPart::kSecondHalf}) {
      halves.push_back(std::make_unique<CudaBackend>(shared_, half));
    }
    return halves;
  }

 private:
  const std::shared_ptr<SharedDevice> shared_;
  const ArenaPart part_;
};

}  // namespace

std::unique_ptr<Backend> MakeBackendOn(std::unique_ptr<Runtime> runtime, const BackendOnOptions& options) {
  return std::make_unique<CudaBackend>(std::make_shared<SharedDevice>(std::move(runtime), options), ArenaPart::kWhole);
}

}  // namespace deconvoy::worker::cuda
