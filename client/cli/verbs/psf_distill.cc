// deconvoy psf distill: a PSF from stacks of beads, by a worker.
#include <absl/time/clock.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/images.h"
#include "client/cli/interrupt.h"
#include "client/cli/job_run.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/own_file.h"
#include "client/cli/psf_file.h"
#include "client/cli/psf_library.h"
#include "client/cli/values.h"
#include "client/cli/verbs/psf_verbs.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/outputs.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

struct DistillOptions {
  std::vector<std::string> beads;
  std::string output;
  std::string average = "trimmed-mean";
  double search = 0;
  double bead_um = 0;
  double bead_floor = 0.01;
  double smooth = 0;
  std::string picture;
  std::optional<Voxel> shape;
  std::optional<v1::VoxelSize> voxel_um;
  uint32_t channel = 0;
  double least_snr = 10;
  double saturation = 0;
  std::string keep;  // empty: not asked for
  ImageOutputOptions image_output;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy psf distill beads.tif -o psf.tif
      finds the beads, says of each whether it serves and why not, and averages those that do
  deconvoy psf distill beads.tif -o psf.tif --shape 41,65,65 --saturation 65535
      a larger PSF, without beads that were too bright for the camera
  deconvoy psf distill field1.tif field2.tif field3.tif -o psf.tif --bead-um 0.2 --average median
      beads of several stacks, without the share that their own size has in the PSF)";

const std::map<std::string, v1::DistillSpec::Average>& Averages() {
  static const std::map<std::string, v1::DistillSpec::Average> averages = {
      {"trimmed-mean", v1::DistillSpec::TRIMMED_MEAN},
      {"median", v1::DistillSpec::MEDIAN},
      {"mean", v1::DistillSpec::MEAN}};
  return averages;
}

std::string PlaceholderName(size_t i) {
  return VolumeName(fmt::format("beads{}", i));
}

// Of a side: the largest odd extent up to `most` that the stack has.
int64_t DefaultExtent(uint32_t stack, int64_t most) {
  const int64_t extent = std::min<int64_t>(stack, most);
  return extent % 2 == 0 ? extent - 1 : extent;
}

class Distillation {
 public:
  Distillation(const DistillOptions& options, const Console& console)
      : options_(options),
        console_(console),
        stop_(TakeInterrupts()),
        progress_(MakeProgress(console, [] { return absl::Now(); })) {}

  absl::Status Do() {
    RETURN_IF_ERROR(CheckKeep(options_.keep, options_.server));
    std::vector<InputImage> beads;
    for (const std::string& file : options_.beads) {
      ASSIGN_OR_RETURN(beads.emplace_back(), OpenInput(file, options_.voxel_um, *progress_));
    }
    v1::JobSpec spec = MakeSpec(beads.front().spec);
    RETURN_IF_ERROR(WithExitCode(ValidateJobSpec(spec), ExitCode::kUsage));
    for (size_t i = 0; i < beads.size(); ++i) {
      const absl::Status suits = ValidateBeads(spec.distill(), beads.front().spec, beads[i].spec);
      RETURN_IF_ERROR(WithExitCode(AddContext(suits, Printable(options_.beads[i])), ExitCode::kUsage));
    }
    const auto outputs = PlanOutputs(spec, &beads.front().spec, nullptr);
    RETURN_IF_ERROR(WithExitCode(outputs.status(), ExitCode::kUsage));
    const imageio::WriteOptions write = ToWriteOptions(options_.image_output);
    RETURN_IF_ERROR(
        imageio::CheckWritable(options_.output, imageio::RoomFor(options_.output, outputs->front().spec, write)));
    RETURN_IF_ERROR(CheckPicture(options_.picture, "--picture", OtherFiles()));
    std::error_code ignored;
    for (const std::string& file : options_.beads) {
      if (!std::filesystem::equivalent(file, options_.output, ignored)) continue;
      return UsageError(fmt::format("the output {} is also the input", Printable(options_.output)),
                        "Choose another file with -o.");
    }
    ASSIGN_OR_RETURN(const auto session, Session::Open(options_.server, *progress_, stop_));
    const absl::Status status = session->Explain(DoWith(*session, beads, spec, write));
    if (!session->local() && !IsRetryable(status)) leftovers_.Remove(session->client(), *progress_);
    progress_->Clear();
    return status;
  }

 private:
  // But for the picture.
  std::vector<std::string> OtherFiles() const {
    std::vector<std::string> files = options_.beads;
    files.push_back(options_.output);
    return files;
  }

  v1::JobSpec MakeSpec(const v1::VolumeSpec& beads) const {
    v1::JobSpec spec;
    spec.set_display_name("distill");
    v1::DistillSpec& distill = *spec.mutable_distill();
    distill.set_input_volume(PlaceholderName(0));  // until they are uploaded
    for (size_t i = 1; i < options_.beads.size(); ++i) distill.add_more_volumes(PlaceholderName(i));
    distill.set_channel(options_.channel);
    distill.set_least_snr(options_.least_snr);
    distill.set_saturation_counts(options_.saturation);
    distill.set_search_fwhm_voxels(options_.search);
    distill.set_average(Averages().at(options_.average));
    distill.set_bead_um(options_.bead_um);
    if (options_.bead_um > 0) distill.set_bead_floor(options_.bead_floor);
    distill.set_smoothing_voxels(options_.smooth);
    const v1::Shape5& stack = beads.shape();
    const Voxel fitting{DefaultExtent(stack.z(), 41), DefaultExtent(stack.y(), 65), DefaultExtent(stack.x(), 65)};
    *distill.mutable_shape() = ToProto(options_.shape.value_or(fitting));
    return spec;
  }

  absl::Status DoWith(Session& session, std::vector<InputImage>& beads, v1::JobSpec& spec,
                      const imageio::WriteOptions& write) {
    for (size_t i = 0; i < beads.size(); ++i) {
      ASSIGN_OR_RETURN(const std::string uploaded, UploadImage(session.client(), beads[i], *progress_, stop_));
      leftovers_.AddVolume(uploaded);
      if (i == 0) {
        spec.mutable_distill()->set_input_volume(uploaded);
      } else {
        spec.mutable_distill()->set_more_volumes(static_cast<int>(i) - 1, uploaded);
      }
    }
    ASSIGN_OR_RETURN(const v1::Job job, RunJob(session, spec, leftovers_, *progress_, stop_));
    RETURN_IF_ERROR(SaveOutput(session.client(), job, "psf", options_.output, write, console_, *progress_, stop_));
    if (!options_.keep.empty()) RETURN_IF_ERROR(Keep(session.client(), job));
    if (options_.picture.empty()) return absl::OkStatus();
    return SavePicture(session, options_.output, options_.picture, leftovers_, console_, *progress_, stop_);
  }

  absl::Status Keep(const Client& client, const v1::Job& job) {
    v1::CreatePsfRequest request;
    ASSIGN_OR_RETURN(*request.mutable_volume(), OutputVolume(job, "psf"));
    request.set_description(DescriptionFrom(job));
    return KeepPsf(client, options_.keep, request, leftovers_, console_, stop_).status();
  }

  const DistillOptions& options_;
  const Console& console_;
  const std::stop_token stop_;
  const std::unique_ptr<Progress> progress_;
  Leftovers leftovers_;
};

void AddBeads(CLI::App& verb, DistillOptions& options) {
  verb.add_option("beads", options.beads, "Stacks of beads; every time point is one")->type_name("FILE")->required();
  verb.add_option("-o,--output", options.output, std::string("File to write") + kReplaced)
      ->type_name("FILE")
      ->required();
  AddVoxel(verb, "--shape", options.shape, 3,
           "Extent of the PSF in voxels, odd; beads that are nearer to an end of the stack or to one another are not "
           "used. Without it 41,65,65, or what the stack has");
  AddVoxelSize(verb, "--voxel-um", options.voxel_um, "Voxel size in um, where the file does not say it or is wrong");
  verb.add_option("--channel", options.channel, "Channel of the stack, from 0")->type_name("C")->capture_default_str();
  verb.add_option("--snr", options.least_snr, "Least height of a bead above the background, in terms of the noise")
      ->check(CLI::PositiveNumber)
      ->type_name("V")
      ->capture_default_str();
  verb.add_option("--saturation", options.saturation,
                  "Counts from which a voxel is saturated; beads with such voxels are not used. 0: none are")
      ->check(CLI::NonNegativeNumber)
      ->type_name("COUNTS")
      ->capture_default_str();
}

void AddAveraging(CLI::App& verb, DistillOptions& options) {
  verb.add_option("--search-fwhm", options.search,
                  "Width at half maximum, in voxels along y and x, of what to look for; without it the stack's peaks")
      ->check(CLI::Range(1.0, 100.0))
      ->type_name("VOXELS");
  verb.add_option("--average", options.average,
                  "What the beads become at each voxel; trimmed-mean leaves out the lowest and the highest fifth")
      ->check(CLI::IsMember({"trimmed-mean", "median", "mean"}))
      ->type_name("")
      ->capture_default_str();
  auto* size = verb.add_option("--bead-um", options.bead_um,
                               "Diameter of the beads in um, whose own size is taken out of the PSF")
                   ->check(CLI::Range(1e-3, 100.0))
                   ->type_name("UM");
  verb.add_option("--bead-floor", options.bead_floor,
                  "What is added to the squared transform of a bead when its size is taken out: more is gentler")
      ->check(CLI::Range(1e-6, 1.0))
      ->needs(size)
      ->type_name("V")
      ->capture_default_str();
  verb.add_option("--smooth", options.smooth, "Smooth the PSF with a Gaussian of this standard deviation")
      ->check(CLI::Range(0.1, 10.0))
      ->type_name("VOXELS");
  verb.add_option("--picture", options.picture, "Picture of the PSF to write, too: .png")->type_name("FILE");
}

}  // namespace

void AddPsfDistill(CLI::App& group, Program& program) {
  AddVerb<DistillOptions>(
      group, program, "distill", "Make a PSF from stacks of beads.", kExamples,
      [&program](CLI::App& verb, DistillOptions& options) {
        AddBeads(verb, options);
        AddAveraging(verb, options);
        AddServerOrLocalOptions(verb, options.server);
        AddKeepOption(verb, options.keep);
        AddImageOutputOptions(verb, options.image_output);
        AddProgressOptions(verb, program.console);
      },
      [&program](const DistillOptions& options) { return Distillation(options, program.console).Do(); });
}

}  // namespace deconvoy::client
