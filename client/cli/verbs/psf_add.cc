// deconvoy psf add: keep a PSF on the server, under a name.
#include <absl/time/clock.h>
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/image_optics.h"
#include "client/cli/images.h"
#include "client/cli/interrupt.h"
#include "client/cli/job_run.h"
#include "client/cli/options/optics_options.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/psf_library.h"
#include "client/cli/psf_names.h"
#include "client/cli/psf_widths.h"
#include "client/cli/values.h"
#include "client/cli/verbs/psf_verbs.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/optics.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct AddOptions {
  std::string name;
  std::string source;
  std::string description;
  bool unchecked = false;
  std::optional<v1::VoxelSize> voxel_um;
  OpticsOptions optics;
  ServerOptions server;
};

constexpr char kExamples[] =
    R"(  deconvoy psf add gfp-60x psf.tif --optics na=1.4,emission_um=0.52 --assume --server localhost:7450
      keeps the file as the next version of psfs/gfp-60x, after a look at it
  deconvoy run raw.tif --psf psfs/gfp-60x -o out.tif --server localhost:7450
      uses the newest version; psfs/gfp-60x@2 the second
  deconvoy psf add gfp-60x jobs/3f2a --description "beads of 2026-11-20"
      keeps the PSF that a job has made: from beads, from optics, or estimated from an image)";

// Widths that differ by more than this share from those of the version before are warned of.
constexpr double kDrift = 0.1;

// A PSF that is on the server, but not yet kept.
struct Candidate {
  v1::VolumeSpec spec;
  v1::CreatePsfRequest request;  // with the volume, and the optics where any are known
};

class Adding {
 public:
  Adding(const AddOptions& options, const Console& console)
      : options_(options),
        console_(console),
        stop_(TakeInterrupts()),
        progress_(MakeProgress(console, [] { return absl::Now(); })) {}

  absl::Status Do() {
    RETURN_IF_ERROR(RequireServer(options_.server).status());
    RETURN_IF_ERROR(CheckKeep(options_.name, options_.server));
    std::optional<InputImage> file;
    if (!OnServer()) {
      ASSIGN_OR_RETURN(file, OpenInput(options_.source, options_.voxel_um, *progress_));
    } else if (options_.voxel_um) {
      return UsageError("--voxel-um is for a file", "Leave it out: the volume has its voxel size.");
    }
    ASSIGN_OR_RETURN(const auto session, Session::Open(options_.server, *progress_, stop_));
    const absl::Status status = DoWith(*session, file);
    if (!IsRetryable(status)) leftovers_.Remove(session->client(), *progress_);
    progress_->Clear();
    return status;
  }

 private:
  bool OnServer() const { return options_.source.starts_with("volumes/") || options_.source.starts_with("jobs/"); }

  absl::Status DoWith(Session& session, std::optional<InputImage>& file) {
    ASSIGN_OR_RETURN(Candidate psf, file ? FromFile(session.client(), *file) : FromServer(session.client()));
    if (!options_.description.empty()) psf.request.set_description(options_.description);
    if (!options_.unchecked) RETURN_IF_ERROR(Check(session, psf));
    progress_->Clear();
    return KeepPsf(session.client(), options_.name, psf.request, leftovers_, console_, stop_).status();
  }

  absl::StatusOr<Candidate> FromFile(const Client& client, InputImage& file) {
    Candidate psf{.spec = file.spec, .request = {}};
    RETURN_IF_ERROR(SetOptics(file.reader->acquisition(), psf));
    ASSIGN_OR_RETURN(*psf.request.mutable_volume(), UploadImage(client, file, *progress_, stop_));
    leftovers_.AddVolume(psf.request.volume());
    return psf;
  }

  absl::StatusOr<Candidate> FromServer(const Client& client) {
    Candidate psf;
    psf.request.set_volume(options_.source);
    if (options_.source.starts_with("jobs/")) {
      ASSIGN_OR_RETURN(const v1::Job job, client.GetJob(options_.source, stop_));
      RETURN_IF_ERROR(OutcomeOf(job));
      ASSIGN_OR_RETURN(*psf.request.mutable_volume(), OutputVolume(job, "psf"));
      TakeOptics(job.spec(), psf.request);
      psf.request.set_description(DescriptionFrom(job));
    }
    ASSIGN_OR_RETURN(const v1::Volume volume, client.GetVolume(psf.request.volume(), stop_));
    psf.spec = volume.spec();
    RETURN_IF_ERROR(SetOptics({}, psf));
    return psf;
  }

  // That the job made it from, or was told of.
  static void TakeOptics(const v1::JobSpec& job, v1::CreatePsfRequest& request) {
    if (job.has_model_psf()) {
      *request.add_optics() = job.model_psf().optics();
      request.set_microscopy(job.model_psf().microscopy());
    } else if (job.has_deconvolve()) {
      *request.mutable_optics() = job.deconvolve().optics();
      request.set_microscopy(job.deconvolve().microscopy());
    }
  }

  // Those of the command line and of the file, which come before what a job knows.
  absl::Status SetOptics(const imageio::Acquisition& acquisition, Candidate& psf) const {
    if (!options_.optics.tell() && !psf.request.optics().empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(ImageOptics found, FindOptics(psf.spec, acquisition, options_.optics));
    ASSIGN_OR_RETURN(const auto optics, OpticsToCompare(std::move(found), options_.source, options_.optics));
    if (!optics) return absl::OkStatus();
    psf.request.mutable_optics()->Assign(optics->channels.begin(), optics->channels.end());
    psf.request.set_microscopy(optics->microscopy);
    return WithExitCode(ValidateOptics(psf.request.optics(), psf.request.microscopy(), "psf"), ExitCode::kUsage);
  }

  // What is wrong with it is said; NaN and nothing but zeros are an error. So are its widths, beside those of the
  // version before.
  absl::Status Check(Session& session, const Candidate& psf) {
    v1::CheckPsfSpec check;
    check.set_psf_volume(psf.request.volume());
    *check.mutable_optics() = psf.request.optics();
    check.set_microscopy(psf.request.microscopy());
    ASSIGN_OR_RETURN(const v1::Job job, CheckPsf(session, check, leftovers_, *progress_, stop_));
    const std::vector<PsfWidths> widths = WidthsOf(job, psf.spec.voxel_size());
    for (const PsfWidths& channel : widths) {
      progress_->Say(
          {.message = fmt::format("channel {}: widths at half maximum (z, y, x) {}", channel.c, WidthsText(channel))});
    }
    return Compare(session, widths);
  }

  absl::Status Compare(Session& session, const std::vector<PsfWidths>& widths) {
    ASSIGN_OR_RETURN(const std::string name, PsfArgument(options_.name));
    const absl::StatusOr<v1::Psf> before = session.client().GetPsf(name, stop_);
    if (absl::IsNotFound(before.status())) return absl::OkStatus();
    if (!before.ok()) return before.status();
    v1::CheckPsfSpec check;
    check.set_psf_volume(before->volume());
    const auto quiet =
        MakeProgress({.out = console_.out, .err = console_.err, .quiet = true}, [] { return absl::Now(); });
    ASSIGN_OR_RETURN(const v1::Job job, CheckPsf(session, check, leftovers_, *quiet, stop_));
    const std::vector<PsfWidths> old = WidthsOf(job, before->spec().voxel_size());
    for (size_t i = 0; i < std::min(widths.size(), old.size()); ++i) SayDrift(widths[i], old[i], *before);
    return absl::OkStatus();
  }

  void SayDrift(const PsfWidths& widths, const PsfWidths& old, const v1::Psf& before) const {
    const std::string drift = DriftText(widths, old);
    if (drift.empty()) return;
    const bool much = Drift(widths, old) > kDrift;
    progress_->Say({.message = fmt::format("channel {}: {} against {} ({})", widths.c, drift,
                                           ShortPsfName(before.name()), WidthsText(old)),
                    .severity = much ? "warning" : "note",
                    .remedy = much ? "See whether the microscope has changed: alignment, objective, immersion, "
                                     "coverslip."
                                   : ""});
  }

  const AddOptions& options_;
  const Console& console_;
  const std::stop_token stop_;
  const std::unique_ptr<Progress> progress_;
  Leftovers leftovers_;
};

}  // namespace

void AddPsfAdd(CLI::App& group, Program& program) {
  AddVerb<AddOptions>(
      group, program, "add", "Keep a PSF on the server, under a name.", kExamples,
      [&program](CLI::App& verb, AddOptions& options) {
        verb.add_option("NAME", options.name,
                        "Name, for instance of the objective and the dye: lower-case letters, digits and -; a PSF "
                        "of this name gets one more version")
            ->type_name("PSF")
            ->required();
        verb.add_option("SOURCE", options.source,
                        "Stack with one or several channels, or volumes/ID of the server, or jobs/ID of a job that "
                        "has made a PSF")
            ->type_name("FILE")
            ->required();
        verb.add_option("--description", options.description,
                        "What people should know of it; without it, of a job, what its findings say")
            ->type_name("TEXT");
        verb.add_flag("--unchecked", options.unchecked, "Do not have a worker look at it before");
        AddVoxelSize(verb, "--voxel-um", options.voxel_um,
                     "Voxel size of the file in um, where it has none or a wrong one");
        AddOpticsOptions(verb, options.optics);
        AddServerOption(verb, options.server);
        AddCompressOption(verb, options.server);
        AddProgressOptions(verb, program.console);
      },
      [&program](const AddOptions& options) { return Adding(options, program.console).Do(); });
}

}  // namespace deconvoy::client
