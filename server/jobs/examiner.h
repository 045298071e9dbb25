// One examination of a job, for JobExaminer (preflight.h).
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/contract/tile_plan.h"
#include "server/jobs/model_check.h"
#include "server/jobs/preflight.h"

namespace deconvoy::server {

// PSFs of one job, over channels and depths or time points: what their analysis finds has to fit into one message.
inline constexpr int64_t kAnalysedPsfs = 256;

// Used once. A check notes refusals, and returns errors of the service itself only.
class Examiner {
 public:
  Examiner(const std::string& owner, Store& store, VolumeStore& volumes, const Capabilities& capabilities,
           const FileRoots& roots)
      : owner_(owner), store_(store), volumes_(volumes), capabilities_(capabilities), roots_(roots) {}

  absl::Status Run(v1::JobSpec spec, double queued_work);

  Examination result;

 private:
  void Add(v1::Severity severity, std::string_view message, const v1::ErrorInfo& info = {});
  // Notes a refusal; an error that is the service's own is returned.
  absl::Status Refuse(const absl::Status& status);

  // With `growing` a volume that is being uploaded will do, which it then tells.
  absl::Status FindVolume(const std::string& name, const std::string& field, std::optional<v1::VolumeSpec>& found,
                          bool* growing = nullptr);
  absl::Status CheckDeconvolve(const v1::DeconvolveSpec& given);
  absl::Status CheckStreamable(const v1::DeconvolveSpec& spec, const v1::Method& method);
  absl::Status CheckGivenPsf(const v1::CheckPsfSpec& given);
  absl::Status CheckPreparedPsf(const v1::PreparePsfSpec& spec);
  absl::Status CheckFileJob(const v1::JobSpec& spec);
  // Of a DeconvolveSpec or CheckPsfSpec, called `work` in fields.
  template <class Spec>
  absl::Status CheckCentre(const Spec& spec, const v1::VolumeSpec& psf, std::string_view work);
  absl::Status CheckTiles(const v1::DeconvolveSpec& spec, const v1::Method& method, const v1::VolumeSpec& input,
                          const v1::VolumeSpec& psf);
  absl::StatusOr<TilePlan> UpperPlan(const v1::DeconvolveSpec& spec, const v1::Method& method, const Shape3& frame,
                                     const Box3& region, const Shape3& given, const Shape3& psf, int64_t psfs);
  absl::Status CheckAmount(int64_t amount, int64_t limit, const char* field, const char* remedy, const char* what);
  absl::Status CheckAmounts(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& input, const v1::VolumeSpec& psf);
  absl::Status CheckMask(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& input);
  absl::Status CheckFlatField(const v1::DeconvolveSpec& spec, const v1::VolumeSpec& input);
  absl::Status CheckDistill(const v1::DistillSpec& spec);
  absl::Status CheckTraining(const v1::TrainModelSpec& given);
  absl::Status CheckModelFile(const v1::CheckModelSpec& given);
  // The models of a deconvolution, and what they are compared with; or the one that is the method's denoiser. `given`
  // is what was asked for, `spec` the same with its defaults.
  absl::Status CheckModelsOf(const v1::DeconvolveSpec& given, const v1::Method& method, v1::DeconvolveSpec& spec);
  absl::Status CheckDenoiserOf(const v1::DeconvolveSpec& given, const ModelUses& models, v1::DeconvolveSpec& spec);
  absl::Status CheckComparisonOf(v1::DeconvolveSpec& spec);
  absl::Status TakeModels(ModelUses models);
  absl::Status CheckEstimate(const v1::Method& method, const v1::DeconvolveSpec& spec);
  void NoteGrid(const v1::DeconvolveSpec& spec, const v1::Method& method, const v1::VolumeSpec& input);
  void NoteVoxelSize(const v1::VoxelSize& size, std::string_view what, const std::string& field);
  absl::Status CheckOutputs();
  int64_t LargestScratchBytes(const std::vector<PlannedOutput>& outputs) const;
  absl::Status CheckWholeTasks();
  void NoteTimes(double queued_work);

  const std::string& owner_;
  Store& store_;
  VolumeStore& volumes_;
  const Capabilities& capabilities_;
  const FileRoots& roots_;
  std::optional<v1::VolumeSpec> input_;            // of a deconvolution, projection or export
  std::optional<v1::VolumeSpec> psf_;              // of any job that names one
  std::optional<v1::VolumeSpec> mask_;             // of a deconvolution that has one
  std::optional<v1::Method> method_;               // of a deconvolution
  std::optional<v1::NetworkDescription> network_;  // of a training
  bool refused_ = false;
};

}  // namespace deconvoy::server
