// deconvoy psf generate: a PSF computed from a microscope's optics, by a worker.
#include <absl/time/clock.h>
#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/images.h"
#include "client/cli/interrupt.h"
#include "client/cli/job_run.h"
#include "client/cli/options/optics_options.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/own_file.h"
#include "client/cli/psf_file.h"
#include "client/cli/psf_from_optics.h"
#include "client/cli/psf_library.h"
#include "client/cli/values.h"
#include "client/cli/verbs/psf_verbs.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/model_psf.h"
#include "proto/contract/outputs.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

struct PsfOptions {
  std::string output;
  std::vector<std::string> optics;
  double energy = 1;
  std::string picture;
  std::string microscopy = "widefield";
  PsfModelOptions model;
  std::optional<v1::VoxelSize> voxel_um;
  std::optional<Voxel> shape;
  std::string keep;  // empty: not asked for
  ImageOutputOptions image_output;
  ServerOptions server;
};

constexpr char kExamples[] =
    R"(  deconvoy psf generate -o psf.ome.tif --optics na=1.4,emission_um=0.52 --voxel-um 0.2,0.065,0.065
      an oil objective in the wide field
  deconvoy psf generate -o psf.ome.tif --microscopy confocal --voxel-um 0.2,0.05,0.05
      --optics na=1.2,ri_immersion=1.333,emission_um=0.52,excitation_um=0.488,pinhole_au=1
      a confocal with a water objective
  deconvoy psf generate -o psf.ome.tif --optics na=1.3,ri_sample=1.38,depth_um=8,emission_um=0.6 --voxel-um 0.2,0.1,0.1
      an oil objective that looks 8 um into cells: planes above and below the focus differ
  deconvoy psf generate -o psf.ome.tif --optics na=1.4,emission_um=0.52 --zernike 8=0.08,11=0.05 --voxel-um 0.2,0.065,0.065
      with coma along x and spherical aberration, in wavelengths root mean square)";

constexpr char kOptics[] =
    R"(Optics, as NAME=VALUE,...: na (needed), emission_um (needed), excitation_um, ri_immersion [1.515], ri_sample
[as the immersion], ri_coverslip [1.5255], coverslip_um [170], depth_um [0], working_distance_um [150], what the
objective is made for (ri_immersion_design, ri_coverslip_design, coverslip_design_um); confocal: pinhole_au [1],
polarised (0 or 1); spinning-disk: pinhole_au, pinhole_spacing_um [far apart]; light-sheet: sheet_fwhm_um; sted:
depletion_um, saturation; gaussian: fwhm_um, fwhm_z_um [from the others])";

class PsfModelling {
 public:
  PsfModelling(const PsfOptions& options, const Console& console)
      : options_(options),
        console_(console),
        stop_(TakeInterrupts()),
        progress_(MakeProgress(console, [] { return absl::Now(); })) {}

  absl::Status Do() {
    ASSIGN_OR_RETURN(const v1::JobSpec spec, MakeSpec());
    RETURN_IF_ERROR(CheckKeep(options_.keep, options_.server));
    ASSIGN_OR_RETURN(const auto outputs, PlanOutputs(spec, nullptr, nullptr));
    const imageio::WriteOptions write = ToWriteOptions(options_.image_output);
    RETURN_IF_ERROR(CheckPicture(options_.picture, "--picture", {options_.output}));
    RETURN_IF_ERROR(
        imageio::CheckWritable(options_.output, imageio::RoomFor(options_.output, outputs.front().spec, write)));
    ASSIGN_OR_RETURN(const auto session, Session::Open(options_.server, *progress_, stop_));
    const absl::Status status = session->Explain(DoWith(*session, spec, write));
    if (!session->local() && !IsRetryable(status)) leftovers_.Remove(session->client(), *progress_);
    progress_->Clear();
    return status;
  }

 private:
  absl::StatusOr<v1::JobSpec> MakeSpec() const {
    v1::JobSpec spec;
    spec.set_display_name("psf " + options_.microscopy);
    v1::ModelPsfSpec& psf = *spec.mutable_model_psf();
    ASSIGN_OR_RETURN(*psf.mutable_optics(), ParseOptics(options_.optics));
    RETURN_IF_ERROR(SetPsfModel(options_.model, psf));
    psf.set_microscopy(MicroscopyNames().at(options_.microscopy));
    *psf.mutable_voxel_size() = *options_.voxel_um;
    RETURN_IF_ERROR(WithExitCode(ValidateModelPsf(psf), ExitCode::kUsage));
    *psf.mutable_shape() = ToProto(options_.shape ? *options_.shape : PsfExtent(psf));
    RETURN_IF_ERROR(WithExitCode(ValidateJobSpec(spec), ExitCode::kUsage));
    return spec;
  }

  absl::Status DoWith(Session& session, const v1::JobSpec& spec, const imageio::WriteOptions& write) {
    ASSIGN_OR_RETURN(const v1::Job job, RunJob(session, spec, leftovers_, *progress_, stop_));
    RETURN_IF_ERROR(
        SavePsf(session.client(), job, options_.output, options_.energy, write, console_, *progress_, stop_));
    if (!options_.keep.empty()) RETURN_IF_ERROR(Keep(session.client(), job));
    if (options_.picture.empty()) return absl::OkStatus();
    return SavePicture(session, options_.output, options_.picture, leftovers_, console_, *progress_, stop_);
  }

  absl::Status Keep(const Client& client, const v1::Job& job) {
    v1::CreatePsfRequest request;
    ASSIGN_OR_RETURN(*request.mutable_volume(), OutputVolume(job, "psf"));
    *request.add_optics() = job.spec().model_psf().optics();
    request.set_microscopy(job.spec().model_psf().microscopy());
    request.set_description(PsfModelName(job.spec().model_psf().model()));
    return KeepPsf(client, options_.keep, request, leftovers_, console_, stop_).status();
  }

  const PsfOptions& options_;
  const Console& console_;
  const std::stop_token stop_;
  const std::unique_ptr<Progress> progress_;
  Leftovers leftovers_;
};

void AddOptics(CLI::App& verb, PsfOptions& options) {
  verb.add_option("-o,--output", options.output, std::string("File to write") + kReplaced)
      ->type_name("FILE")
      ->required();
  verb.add_option("--optics", options.optics, kOptics)
      ->type_name("NAME=VALUE")
      ->delimiter(',')
      ->required()
      ->group("Optics");
  verb.add_option("--microscopy", options.microscopy, "Kind of microscope")
      ->check(CLI::IsMember({"widefield", "confocal", "spinning-disk", "light-sheet", "two-photon", "sted"}))
      ->type_name("")
      ->capture_default_str()
      ->group("Optics");
  AddVoxelSize(verb, "--voxel-um", options.voxel_um, "Voxel size in um, that of the image")->required();
  AddVoxel(verb, "--shape", options.shape, 1, "Extent in voxels; without it what holds nearly all light");
  verb.add_option("--energy", options.energy,
                  "Share of the light to keep: the file is cut to the smallest box about the middle that holds it")
      ->check(CLI::Range(1e-6, 1.0))
      ->type_name("V")
      ->capture_default_str();
  verb.add_option("--picture", options.picture, "Picture of it to write, too: .png")->type_name("FILE");
}

}  // namespace

void AddPsfGenerate(CLI::App& group, Program& program) {
  AddVerb<PsfOptions>(
      group, program, "generate", "Compute a PSF from a microscope's optics.", kExamples,
      [&program](CLI::App& verb, PsfOptions& options) {
        AddOptics(verb, options);
        AddPsfModelOptions(verb, options.model);
        AddServerOrLocalOptions(verb, options.server);
        AddKeepOption(verb, options.keep);
        AddImageOutputOptions(verb, options.image_output);
        AddProgressOptions(verb, program.console);
      },
      [&program](const PsfOptions& options) { return PsfModelling(options, program.console).Do(); });
}

}  // namespace deconvoy::client
