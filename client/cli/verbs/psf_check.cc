// deconvoy psf check: what is wrong with a PSF, without deconvolving.
#include <absl/time/clock.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/image_optics.h"
#include "client/cli/images.h"
#include "client/cli/interrupt.h"
#include "client/cli/job_run.h"
#include "client/cli/json.h"
#include "client/cli/options/optics_options.h"
#include "client/cli/options/output_options.h"
#include "client/cli/options/psf_options.h"
#include "client/cli/outcome.h"
#include "client/cli/own_file.h"
#include "client/cli/prepared_psf.h"
#include "client/cli/psf_library.h"
#include "client/cli/psf_names.h"
#include "client/cli/report.h"
#include "client/cli/values.h"
#include "client/cli/verbs/psf_verbs.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

struct CheckOptions {
  std::string psf;
  std::string image;          // empty: none
  std::string save_prepared;  // empty: not asked for
  std::optional<v1::VoxelSize> psf_voxel_um;
  std::optional<v1::VoxelSize> voxel_um;
  PsfUseOptions use;
  OpticsOptions optics;
  ImageOutputOptions image_output;
  ServerOptions server;
};

constexpr char kExamples[] =
    R"(  deconvoy psf check psf.tif --psf-voxel-um 0.2,0.065,0.065 --microscopy widefield
      --optics na=1.4,ri_immersion=1.515,emission_um=0.52
      its widths against those of these optics in a wide field, and everything else that a job would warn of
  deconvoy psf check psf.tif --image raw.ome.tif
      for this image: its voxels, its extents, and the optics that its file tells
  deconvoy psf check bead.tif --psf-background auto
      a bead as a camera recorded it: what it is without the light around it
  deconvoy psf check psfs/gfp-60x --server localhost:7450
      one of the library, against the optics that it is kept with
  deconvoy psf check psf.tif --save-prepared used.tif
      what becomes of it, too: cropped to what is used, of sum 1, its origin in the middle
  deconvoy psf check psf.tif --json
      findings for programs: `defect` and `number` are in `info.metadata`)";

class Checking {
 public:
  Checking(const CheckOptions& options, const Console& console)
      : options_(options),
        console_(console),
        stop_(TakeInterrupts()),
        progress_(MakeProgress(console, [] { return absl::Now(); })) {}

  absl::Status Do() {
    RETURN_IF_ERROR(CheckOutput());
    if (IsLibraryPsf(options_.psf)) return DoInSession([this](Session& session) { return CheckKept(session); });
    ASSIGN_OR_RETURN(InputImage psf, OpenInput(options_.psf, options_.psf_voxel_um, *progress_));
    ASSIGN_OR_RETURN(v1::JobSpec spec, MakeSpec(psf.spec, psf.reader->acquisition()));
    return DoInSession([&](Session& session) { return CheckFile(session, psf, spec); });
  }

 private:
  absl::Status CheckOutput() const {
    if (options_.save_prepared.empty()) return absl::OkStatus();
    std::vector<std::string> inputs = {options_.image};
    if (!IsLibraryPsf(options_.psf)) inputs.push_back(options_.psf);
    RETURN_IF_ERROR(CheckOwnFile(options_.save_prepared, "--save-prepared", inputs));
    return imageio::CheckWritable(options_.save_prepared);
  }

  template <class Work>
  absl::Status DoInSession(const Work& work) {
    ASSIGN_OR_RETURN(const auto session, Session::Open(options_.server, *progress_, stop_));
    const absl::Status status = session->Explain(work(*session));
    if (!session->local() && !IsRetryable(status)) leftovers_.Remove(session->client(), *progress_);
    progress_->Clear();
    return status;
  }

  absl::StatusOr<v1::JobSpec> MakeSpec(const v1::VolumeSpec& psf, const imageio::Acquisition& acquisition) const {
    v1::JobSpec spec;
    spec.set_display_name(psf.display_name());
    v1::CheckPsfSpec& check = *spec.mutable_check_psf();
    check.set_psf_volume(VolumeName("psf"));  // until it is there
    RETURN_IF_ERROR(SetPsfUse(options_.use, check));
    RETURN_IF_ERROR(SetImage(psf, acquisition, check));
    RETURN_IF_ERROR(WithExitCode(ValidateJobSpec(spec), ExitCode::kUsage));
    return spec;
  }

  // The image, if there is one, tells voxels and optics; else the PSF's own file does.
  absl::Status SetImage(const v1::VolumeSpec& psf, const imageio::Acquisition& acquisition,
                        v1::CheckPsfSpec& check) const {
    if (options_.image.empty()) return SetOpticsOf(psf, acquisition, check);
    ASSIGN_OR_RETURN(const InputImage image, OpenInput(options_.image, options_.voxel_um, *progress_));
    const v1::Shape5& shape = image.spec.shape();
    *check.mutable_image_shape() = ToProto(Voxel{shape.z(), shape.y(), shape.x()});
    *check.mutable_image_voxel_size() = image.spec.voxel_size();
    return SetOpticsOf(image.spec, image.reader->acquisition(), check);
  }

  absl::Status SetOpticsOf(const v1::VolumeSpec& image, const imageio::Acquisition& acquisition,
                           v1::CheckPsfSpec& check) const {
    ASSIGN_OR_RETURN(ImageOptics found, FindOptics(image, acquisition, options_.optics));
    ASSIGN_OR_RETURN(const auto optics, OpticsToCompare(std::move(found), image.display_name(), options_.optics));
    if (!optics && IsLibraryPsf(options_.psf)) return absl::OkStatus();  // the server may know some
    if (!optics) {
      progress_->Say({.message = "the PSF is not compared with any optics: none are known",
                      .remedy = "Give them with --optics na=...,ri_immersion=...,emission_um=... and --microscopy."});
      return absl::OkStatus();
    }
    check.mutable_optics()->Assign(optics->channels.begin(), optics->channels.end());
    check.set_microscopy(optics->microscopy);
    progress_->Say({.message = fmt::format("compared with the optics: {}", fmt::join(optics->used, ", "))});
    return absl::OkStatus();
  }

  absl::Status CheckFile(Session& session, InputImage& psf, v1::JobSpec& spec) {
    ASSIGN_OR_RETURN(const std::string uploaded, UploadImage(session.client(), psf, *progress_, stop_));
    leftovers_.AddVolume(uploaded);
    spec.mutable_check_psf()->set_psf_volume(uploaded);
    return Check(session, spec);
  }

  absl::Status CheckKept(Session& session) {
    ASSIGN_OR_RETURN(const v1::Psf psf, FindLibraryPsf(session, options_.psf, stop_));
    if (options_.psf_voxel_um) {
      return UsageError("--psf-voxel-um is for a file", "Leave it out: a PSF of the library has its voxel size.");
    }
    ASSIGN_OR_RETURN(v1::JobSpec spec, MakeSpec(psf.spec(), {}));
    spec.mutable_check_psf()->set_psf_volume(psf.name());
    return Check(session, spec);
  }

  absl::Status Check(Session& session, const v1::JobSpec& spec) {
    ASSIGN_OR_RETURN(const v1::Job job, RunJob(session, spec, leftovers_, *progress_, stop_));
    absl::Status saved;
    if (!options_.save_prepared.empty()) {
      saved.Update(SavePreparedPsf(session, job, options_.save_prepared, ToWriteOptions(options_.image_output),
                                   *progress_, stop_)
                       .status());
    }
    progress_->Clear();
    Report(job, saved.ok() ? options_.save_prepared : "");
    return saved;
  }

  // The findings have been said as they came.
  // `saved`: where the prepared PSF was written; empty for nowhere.
  void Report(const v1::Job& job, const std::string& saved) const {
    const auto& findings = job.findings();
    const auto warnings = std::count_if(findings.begin(), findings.end(),
                                        [](const v1::Finding& finding) { return finding.severity() == v1::WARNING; });
    console_.Say(warnings == 0 ? "nothing is wrong with this PSF, as far as can be seen"
                               : fmt::format("{} {}", warnings, warnings == 1 ? "warning" : "warnings"));
    if (!saved.empty()) console_.Say(fmt::format("wrote {}: the PSF as it is used", Printable(saved)));
    if (!console_.json) return;
    nlohmann::json line = {{"event", "result"}, {"warnings", warnings}, {"findings", nlohmann::json::array()}};
    for (const v1::Finding& finding : findings) line["findings"].push_back(ToJson(finding));
    if (!saved.empty()) line["prepared_psf"] = saved;
    console_.Json(line);
  }

  const CheckOptions& options_;
  const Console& console_;
  const std::stop_token stop_;
  const std::unique_ptr<Progress> progress_;
  Leftovers leftovers_;
};

}  // namespace

void AddPsfCheck(CLI::App& group, Program& program) {
  AddVerb<CheckOptions>(
      group, program, "check", "Say what is wrong with a PSF, without deconvolving.", kExamples,
      [&program](CLI::App& verb, CheckOptions& options) {
        verb.add_option("PSF", options.psf, "Point spread function as a stack, or psfs/NAME of the library")
            ->type_name("FILE")
            ->required();
        verb.add_option("--image", options.image, "Image that it is meant for")->type_name("FILE");
        AddVoxelSize(verb, "--psf-voxel-um", options.psf_voxel_um,
                     "Voxel size of the PSF in um, where the file has none or a wrong one");
        AddVoxelSize(verb, "--voxel-um", options.voxel_um, "Voxel size of the image in um, likewise");
        AddPsfUseOptions(verb, options.use, "Image and PSF");
        verb.add_option(
                "--save-prepared", options.save_prepared,
                std::string(
                    "Write the PSF as it is used with this background, centre and energy: cropped, of sum 1, its "
                    "origin at voxel floor(n/2)") +
                    kReplaced)
            ->type_name("FILE");
        AddOpticsOptions(verb, options.optics);
        AddServerOrLocalOptions(verb, options.server);
        AddImageOutputOptions(verb, options.image_output);
        AddProgressOptions(verb, program.console);
      },
      [&program](const CheckOptions& options) { return Checking(options, program.console).Do(); });
}

}  // namespace deconvoy::client
