// deconvoy preflight: what a deconvolution would need, and why it would be refused, without doing it.
#include <absl/time/clock.h>
#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/deconvolve_inputs.h"
#include "client/cli/interrupt.h"
#include "client/cli/json.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct PreflightOptions {
  InputOptions inputs;
  DeconvolutionOptions deconvolution;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy preflight raw.tif --psf psf.tif --server localhost:7450
      memory, tiles, time and everything that speaks against it; nothing stays on the server
  deconvoy preflight raw.tif --psf psf.tif --method rl-tv --json
      the same of another method on this machine, for programs)";

std::string VoxelText(const v1::Voxel3& voxel) {
  return fmt::format("{} x {} x {}", voxel.z(), voxel.y(), voxel.x());
}

class Preflighting {
 public:
  Preflighting(const PreflightOptions& options, const Console& console)
      : options_(options),
        console_(console),
        stop_(TakeInterrupts()),
        progress_(MakeProgress(console, [] { return absl::Now(); })) {}

  absl::Status Do() {
    ASSIGN_OR_RETURN(v1::DeconvolveSpec deconvolve, ToSpec(options_.deconvolution));
    ASSIGN_OR_RETURN(std::vector<GivenModel> models, OpenGivenModels(options_.deconvolution.models));
    ASSIGN_OR_RETURN(DeconvolveInputs inputs, OpenInputs(options_.inputs, deconvolve, *progress_));
    inputs.models = std::move(models);
    inputs.models_stay = false;
    RETURN_IF_ERROR(SetRegion(options_.deconvolution.region, inputs.image.spec, deconvolve));
    ASSIGN_OR_RETURN(const auto session,
                     Session::Open(ForBackend(options_.server, deconvolve.backend()), *progress_, stop_));
    const absl::Status status = session->Explain(DoWith(*session, inputs, deconvolve));
    if (!session->local()) leftovers_.Remove(session->client(), *progress_);
    progress_->Clear();
    return status;
  }

 private:
  absl::Status DoWith(Session& session, DeconvolveInputs& inputs, const v1::DeconvolveSpec& deconvolve) {
    RETURN_IF_ERROR(CheckWithServer(session, deconvolve, stop_, inputs));
    ASSIGN_OR_RETURN(const v1::JobSpec spec, UploadInputs(session, inputs, deconvolve, leftovers_, *progress_, stop_));
    ASSIGN_OR_RETURN(const v1::PreflightReport report, session.Preflight(spec, *progress_, stop_));
    progress_->Clear();
    for (const v1::Finding& finding : report.findings()) progress_->Say(ToNote(finding));
    if (console_.json) console_.Json({{"event", "preflight"}, {"report", ToJson(report)}});
    Say(report);
    return Refusal(report);
  }

  void Say(const v1::PreflightReport& report) const {
    if (!report.accepted()) return;
    console_.Say("it would be accepted");
    if (report.tiles_per_frame() > 0)
      console_.Say(fmt::format("tiles: about {} per frame, with cores of {} and transforms of {} voxels",
                               report.tiles_per_frame(), VoxelText(report.core()), VoxelText(report.padded())));
    console_.Say("memory of a worker: " + BytesText(static_cast<double>(report.worker_memory_bytes())));
    console_.Say("room on the server: " + BytesText(static_cast<double>(report.result_bytes())));
    console_.Say("time: " + (report.compute_seconds() > 0 ? fmt::format("{} of computing, after {} of other work",
                                                                        DurationText(report.compute_seconds()),
                                                                        DurationText(report.queue_seconds()))
                                                          : std::string("not known, no worker has measured it yet")));
  }

  // As submitting it would fail.
  static absl::Status Refusal(const v1::PreflightReport& report) {
    for (const v1::Finding& finding : report.findings()) {
      if (finding.severity() != v1::REFUSAL) continue;
      const v1::ErrorInfo& info = finding.info();
      return WithExitCode(MakeError({.reason = info.reason(), .field = info.field(), .remedy = info.remedy()},
                                    "it would be refused: " + finding.message()),
                          ExitCode::kRefused);
    }
    return absl::OkStatus();
  }

  const PreflightOptions& options_;
  const Console& console_;
  const std::stop_token stop_;
  const std::unique_ptr<Progress> progress_;
  Leftovers leftovers_;
};

}  // namespace

void AddPreflight(CLI::App& root, Program& program) {
  AddVerb<PreflightOptions>(
      root, program, "preflight", "Say what a deconvolution would need, without doing it.", kExamples,
      [&program](CLI::App& verb, PreflightOptions& options) {
        AddInputOptions(verb, options.inputs);
        AddDeconvolutionOptions(verb, options.deconvolution);
        AddServerOrLocalOptions(verb, options.server);
        AddProgressOptions(verb, program.console);
      },
      [&program](const PreflightOptions& options) { return Preflighting(options, program.console).Do(); });
}

}  // namespace deconvoy::client
