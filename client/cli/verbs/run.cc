// deconvoy run: a stack in, a deconvolved stack out.
#include <absl/time/clock.h>
#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/deconvolve_inputs.h"
#include "client/cli/interrupt.h"
#include "client/cli/job_follow.h"
#include "client/cli/json.h"
#include "client/cli/options/class_option.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/own_file.h"
#include "client/cli/prepared_psf.h"
#include "client/cli/report.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct RunOptions {
  InputOptions inputs;
  std::string output;
  std::string residual;           // empty: not asked for
  std::string spread;             // likewise
  std::string save_psf;           // likewise
  std::string save_prepared_psf;  // likewise
  bool keep = false;
  DeconvolutionOptions deconvolution;
  ImageOutputOptions image_output;
  ServerOptions server;
  std::string job_class = "auto";
};

constexpr char kExamples[] = R"(  deconvoy run raw.tif --psf psf.tif -o out.tif
      30 iterations of accelerated Richardson-Lucy on this machine
  deconvoy run raw.tif --psf psf.tif -o out.tif --iterations 50 --set acceleration=none
      plain Richardson-Lucy; see deconvoy methods rl
  deconvoy run raw.tif --psf psf.tif -o out.ome.tif --offset 100 --gain 0.46 --read-noise 1.6 --dtype u16
      camera calibration in, 16-bit counts out
  deconvoy run raw.ome.tif -o out.ome.tif --save-psf psf.ome.tif
      with a PSF computed from what the file tells of its microscope; what it does not tell is said
  deconvoy run raw.tif -o out.tif --voxel-um 0.2,0.065,0.065 --microscopy widefield
      --optics na=1.4,ri_immersion=1.515,emission_um=0.52
      with a PSF computed from what is given here
  deconvoy run raw.ome.tif -o out.ome.tif --model gibson-lanni --optics ri_sample=1.38,depth_um=8 --zernike 11=0.05
      with a PSF computed by another model, 8 um deep in cells, with spherical aberration besides
  deconvoy run raw.tif --psf psf.tif -o out.tif --residual residual.tif
      what the result leaves unexplained, too: noise, if all is well
  deconvoy run raw.tif --psf bead.tif -o out.tif --psf-background auto --save-prepared-psf used.tif
      what the PSF has become, too: without background, cropped, at the image's voxels, its origin in the middle
  deconvoy run raw.tif --psf psf.tif -o out.tif --method blind-rl
      with a PSF that is estimated from the image, starting from psf.tif; it is written to out.psf.tif
  deconvoy run raw.tif --psf psf.tif -o out.tif --method network --network rln-gfp.safetensors
      with a model, straight from its file; see docs/methods/network.md
  deconvoy run raw.tif --psf psfs/gfp-60x -o out.tif --server localhost:7450
      with a PSF that the server keeps; see deconvoy psf add
  deconvoy run raw.tif --psf psf.tif -o out.tif --server localhost:7450
      on a server; nothing stays there)";

std::vector<std::string> FilesOf(const InputOptions& inputs) {
  return {inputs.input, inputs.psf, inputs.mask, inputs.flat_field};
}

// `file` is written by `option`, beside the result and `others`; empty where it is not asked for.
absl::Status CheckFile(const RunOptions& options, const std::string& file, const char* option,
                       std::vector<std::string> others) {
  if (file.empty()) return absl::OkStatus();
  for (const std::string& input : FilesOf(options.inputs)) others.push_back(input);
  others.push_back(options.output);
  RETURN_IF_ERROR(CheckOwnFile(file, option, others));
  return imageio::CheckWritable(file);
}

absl::Status CheckOutput(const RunOptions& options) {
  std::error_code ignored;
  if (std::filesystem::equivalent(options.inputs.input, options.inputs.psf, ignored))
    return UsageError(fmt::format("{} is both the image and its PSF", Printable(options.inputs.input)),
                      "Give the recorded stack first and its PSF with --psf.");
  for (const std::string& input : FilesOf(options.inputs))
    if (!input.empty() && std::filesystem::equivalent(input, options.output, ignored))
      return UsageError(fmt::format("the output {} is also an input", Printable(options.output)),
                        "Choose another name for -o.");
  RETURN_IF_ERROR(imageio::CheckWritable(options.output));
  RETURN_IF_ERROR(CheckFile(options, options.residual, "--residual", {}));
  RETURN_IF_ERROR(CheckFile(options, options.save_psf, "--save-psf", {options.residual}));
  RETURN_IF_ERROR(
      CheckFile(options, options.save_prepared_psf, "--save-prepared-psf", {options.residual, options.save_psf}));
  return CheckFile(options, options.spread, "--spread",
                   {options.residual, options.save_psf, options.save_prepared_psf});
}

// An estimated PSF goes beside the result, to a file that nobody has named.
absl::Status CheckEstimatedPsf(const RunOptions& options, const DeconvolveInputs& inputs) {
  if (!inputs.method || !inputs.method->estimates_psf()) return absl::OkStatus();
  const std::string beside = PsfFileBeside(options.output).string();
  for (const auto& [file, option] :
       {std::pair(options.residual, "--residual"), std::pair(options.spread, "--spread"),
        std::pair(options.save_psf, "--save-psf"), std::pair(options.save_prepared_psf, "--save-prepared-psf")}) {
    if (!IsSameFile(file, beside)) continue;
    return UsageError(
        fmt::format("the estimated PSF is written to {}: {} needs a file of its own", Printable(beside), option),
        fmt::format("Choose another name for {}.", option));
  }
  return absl::OkStatus();
}

bool SameFolder(const std::string& a, const std::string& b) {
  return std::filesystem::absolute(a).parent_path() == std::filesystem::absolute(b).parent_path();
}

absl::Status CheckKeep(const RunOptions& options) {
  ASSIGN_OR_RETURN(const auto server, ChooseServer(options.server));
  if (server || !options.keep) return absl::OkStatus();
  return UsageError("--keep is for a server, but a local one leaves nothing", "Leave it out, or name a --server.");
}

// What one `run` needs from beginning to end.
class Run {
 public:
  Run(const RunOptions& options, const Console& console)
      : options_(options),
        console_(console),
        stop_(TakeInterrupts()),
        progress_(MakeProgress(console, [] { return absl::Now(); })) {}

  absl::Status Do() {
    ASSIGN_OR_RETURN(v1::DeconvolveSpec spec, ToSpec(options_.deconvolution));
    spec.set_residual(!options_.residual.empty());
    if (!options_.spread.empty()) RETURN_IF_ERROR(AskForSpread(spec));
    RETURN_IF_ERROR(CheckKeep(options_));
    RETURN_IF_ERROR(CheckOutput(options_));
    ASSIGN_OR_RETURN(std::vector<GivenModel> models, OpenGivenModels(options_.deconvolution.models));
    ASSIGN_OR_RETURN(DeconvolveInputs inputs, OpenInputs(options_.inputs, spec, *progress_));
    inputs.models = std::move(models);
    RETURN_IF_ERROR(SetRegion(options_.deconvolution.region, inputs.image.spec, spec));
    ASSIGN_OR_RETURN(const auto session, Session::Open(ForBackend(options_.server, spec.backend()), *progress_, stop_));
    session->set_job_class(JobClassOf(options_.job_class, inputs.image.spec, spec));
    const absl::Status status = session->Explain(DoWith(*session, inputs, spec));
    if (!session->local()) TidyUp(session->client(), status);
    progress_->Clear();
    return status;
  }

 private:
  absl::Status CheckRoom(const v1::VolumeSpec& result) const {
    const imageio::WriteOptions write = ToWriteOptions(options_.image_output);
    v1::VolumeSpec beside = result;
    beside.set_type(v1::F32);
    // Each file with those of its folder.
    std::vector<std::pair<std::string, int64_t>> files = {
        {options_.output, imageio::RoomFor(options_.output, result, write)}};
    for (const std::string& file : {options_.residual, options_.spread}) {
      if (!file.empty()) files.emplace_back(file, imageio::RoomFor(file, beside, write));
    }
    for (const auto& [file, bytes] : files) {
      int64_t need_bytes = 0;
      for (const auto& [other, other_bytes] : files) {
        if (SameFolder(file, other)) need_bytes += other_bytes;
      }
      RETURN_IF_ERROR(imageio::CheckWritable(file, need_bytes));
    }
    return absl::OkStatus();
  }

  absl::Status DoWith(Session& session, DeconvolveInputs& inputs, const v1::DeconvolveSpec& deconvolve) {
    RETURN_IF_ERROR(CheckWithServer(session, deconvolve, stop_, inputs));
    RETURN_IF_ERROR(CheckEstimatedPsf(options_, inputs));
    RETURN_IF_ERROR(CheckRoom(ResultSpec(inputs, deconvolve)));
    ASSIGN_OR_RETURN(const v1::JobSpec spec, UploadInputs(session, inputs, deconvolve, leftovers_, *progress_, stop_));
    ASSIGN_OR_RETURN(const v1::Job job, RunJob(session, spec, leftovers_, *progress_, stop_));
    ASSIGN_OR_RETURN(const std::string volume, OutputVolume(job, "estimate"));
    imageio::WriteOptions write = ToWriteOptions(options_.image_output);
    write.display_range = DisplayRangeOf(job, "estimate");
    const auto result = DownloadImage(session.client(), volume, options_.output, write, *progress_, stop_);
    absl::Status others = result.ok() ? FetchBeside(session, job, "residual", options_.residual) : absl::OkStatus();
    if (result.ok() && others.ok()) others = FetchBeside(session, job, "spread", options_.spread);
    if (result.ok() && others.ok()) others = FetchPsf(session, job);
    if (result.ok() && others.ok()) others = FetchGivenPsf(session, job);
    if (result.ok() && others.ok()) others = FetchPreparedPsf(session, job);
    progress_->Clear();
    if (!others.ok() && !session.local() && !stop_.stop_requested()) unfetched_ = job.name();
    RETURN_IF_ERROR(others);
    if (!result.ok() && !session.local() && !stop_.stop_requested()) unfetched_ = job.name();
    RETURN_IF_ERROR(result.status());
    Report(job, *result);
    return absl::OkStatus();
  }

  // Another output of the job, to `file`; empty where it is not asked for.
  absl::Status FetchBeside(Session& session, const v1::Job& job, const char* role, const std::string& file) {
    if (file.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::string volume, OutputVolume(job, role));
    imageio::WriteOptions write = ToWriteOptions(options_.image_output);
    write.display_range = DisplayRangeOf(job, role);
    return DownloadImage(session.client(), volume, file, write, *progress_, stop_).status();
  }

  // As it was given or computed.
  absl::Status FetchGivenPsf(Session& session, const v1::Job& job) {
    if (options_.save_psf.empty()) return absl::OkStatus();
    return DownloadImage(session.client(), job.spec().deconvolve().psf_volume(), options_.save_psf,
                         ToWriteOptions(options_.image_output), *progress_, stop_)
        .status();
  }

  absl::Status FetchPreparedPsf(Session& session, const v1::Job& job) {
    if (options_.save_prepared_psf.empty()) return absl::OkStatus();
    return SavePreparedPsf(session, job, options_.save_prepared_psf, ToWriteOptions(options_.image_output), *progress_,
                           stop_)
        .status();
  }

  // Where the method has estimated it. No file that the command names is replaced by what nobody has given a name.
  absl::Status FetchPsf(Session& session, const v1::Job& job) {
    if (!HasOutput(job, "psf")) return absl::OkStatus();
    const std::filesystem::path file = PsfFileBeside(options_.output);
    std::vector<std::string> others = FilesOf(options_.inputs);
    others.insert(others.end(), {options_.residual, options_.spread, options_.save_psf, options_.save_prepared_psf});
    for (const std::string& other : others) {
      if (!IsSameFile(other, file.string())) continue;
      progress_->Say({.message = fmt::format("the estimated PSF is not written: {} is another file of this command",
                                             Printable(other)),
                      .severity = "warning",
                      .remedy = "Choose another name for -o."});
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const std::string volume, OutputVolume(job, "psf"));
    psf_ = file.string();
    return DownloadImage(session.client(), volume, file, ToWriteOptions(options_.image_output), *progress_, stop_)
        .status();
  }

  void Report(const v1::Job& job, const v1::VolumeSpec& result) const {
    for (const std::string& line : JobReport(job)) console_.Say(line);
    console_.Say(fmt::format("wrote {}: {}", Printable(options_.output), ShapeText(result)));
    if (!options_.residual.empty()) console_.Say(fmt::format("wrote {}: the residual", Printable(options_.residual)));
    if (!options_.spread.empty()) console_.Say(fmt::format("wrote {}: the spread", Printable(options_.spread)));
    if (!options_.save_psf.empty()) console_.Say(fmt::format("wrote {}: the PSF", Printable(options_.save_psf)));
    if (!options_.save_prepared_psf.empty()) {
      console_.Say(fmt::format("wrote {}: the PSF as it was used", Printable(options_.save_prepared_psf)));
    }
    if (!psf_.empty()) console_.Say(fmt::format("wrote {}: the PSF as it was estimated", Printable(psf_)));
    if (!console_.json) return;
    nlohmann::json line = {{"event", "result"}, {"output", options_.output}, {"job", ToJson(job)}};
    if (!psf_.empty()) line["psf"] = psf_;
    if (!options_.residual.empty()) line["residual"] = options_.residual;
    if (!options_.spread.empty()) line["spread"] = options_.spread;
    if (!options_.save_psf.empty()) line["saved_psf"] = options_.save_psf;
    if (!options_.save_prepared_psf.empty()) line["prepared_psf"] = options_.save_prepared_psf;
    console_.Json(line);
  }

  // Nothing of a one-shot run stays on a server, unless asked for or the server is out of reach, and but for a result
  // that could not be written.
  void TidyUp(const Client& client, const absl::Status& status) {
    if (!unfetched_.empty()) {
      return progress_->Say({.message = fmt::format("the result is kept on the server: {}",
                                                    JobCommand("fetch", unfetched_, options_.server, "-o FILE"))});
    }
    if (!options_.keep && !IsRetryable(status)) return leftovers_.Remove(client, *progress_);
    for (const std::string& name : leftovers_.jobs()) progress_->Say({.message = "on the server: " + Printable(name)});
    for (const std::string& name : leftovers_.volumes())
      progress_->Say({.message = "on the server: " + Printable(name)});
  }

  const RunOptions& options_;
  const Console& console_;
  const std::stop_token stop_;
  const std::unique_ptr<Progress> progress_;
  Leftovers leftovers_;
  std::string psf_;        // the file that the estimated PSF was written to
  std::string unfetched_;  // a job that succeeded, but whose result could not be written
};

}  // namespace

void AddRun(CLI::App& root, Program& program) {
  AddVerb<RunOptions>(
      root, program, "run", "Deconvolve a stack and wait for the result.", kExamples,
      [&program](CLI::App& verb, RunOptions& options) {
        AddInputOptions(verb, options.inputs);
        verb.add_option(
                "-o,--output", options.output,
                std::string("Result: .ome.tif for OME-TIFF, .tif for ImageJ TIFF; BigTIFF where needed") + kReplaced)
            ->type_name("FILE")
            ->required();
        verb.add_option("--residual", options.residual,
                        std::string("Write what the result leaves unexplained, too: the image less the blurred result, "
                                    "in units of its noise") +
                            kReplaced)
            ->type_name("FILE");
        verb.add_option("--spread", options.spread,
                        std::string("With models: write how sure they are, too: the standard deviation of each voxel") +
                            kReplaced)
            ->type_name("FILE");
        verb.add_option("--save-psf", options.save_psf,
                        std::string("Write the PSF, too, as it was given or computed") + kReplaced)
            ->type_name("FILE");
        AddSavePreparedPsfOption(verb, options.save_prepared_psf);
        AddDeconvolutionOptions(verb, options.deconvolution);
        AddServerOrLocalOptions(verb, options.server);
        AddClassOption(verb, options.job_class);
        verb.add_flag("--keep", options.keep, "Leave job, inputs and result on the server")->group("Server");
        AddImageOutputOptions(verb, options.image_output);
        AddProgressOptions(verb, program.console);
      },
      [&program](const RunOptions& options) { return Run(options, program.console).Do(); });
}

}  // namespace deconvoy::client
