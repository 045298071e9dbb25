// deconvoy job: everything about one job, its pause or its removal.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "client/cli/figures/png_file.h"
#include "client/cli/job_run.h"
#include "client/cli/json.h"
#include "client/cli/options/output_options.h"
#include "client/cli/own_file.h"
#include "client/cli/preview.h"
#include "client/cli/report.h"
#include "client/cli/run_curves.h"
#include "client/cli/session.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct JobOptions {
  std::string job;
  bool remove = false, pause = false, resume = false;
  std::string curve;    // empty: none
  std::string preview;  // likewise
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy job jobs/3f2a
      state, what was asked for, findings, counts, error and worker log
  deconvoy job jobs/3f2a --curve curve.png
      how objective and residual fell over the iterations
  deconvoy job jobs/3f2a --pause
      compute no further tile of it until: deconvoy job jobs/3f2a --resume
  deconvoy job jobs/3f2a --preview preview.png
      what is computed so far, as a small maximum projection
  deconvoy job jobs/3f2a --delete
      remove an ended job, its results, and the stacks uploaded for it that no other job uses)";

std::vector<std::string> InputsOf(const v1::JobSpec& spec) {
  std::vector<std::string> inputs = {
      spec.deconvolve().input_volume(),      spec.deconvolve().psf_volume(), spec.deconvolve().mask_volume(),
      spec.deconvolve().flat_field_volume(), spec.simulate().psf_volume(),   spec.project().input_volume(),
      spec.distill().input_volume(),         spec.check_psf().psf_volume(),  spec.prepare_psf().psf_volume()};
  for (const std::string& name : spec.distill().more_volumes()) inputs.push_back(name);
  std::erase(inputs, "");
  return inputs;
}

bool Uses(const v1::Job& job, const std::string& volume) {
  const auto inputs = InputsOf(job.spec());
  return std::find(inputs.begin(), inputs.end(), volume) != inputs.end() ||
         std::any_of(job.outputs().begin(), job.outputs().end(),
                     [&volume](const v1::JobOutput& output) { return output.volume() == volume; });
}

// Removes one job with its volumes, and tells what went and what stayed.
class Removal {
 public:
  Removal(const Client& client, const Console& console) : client_(client), console_(console) {}

  absl::Status Remove(const v1::Job& job) {
    ASSIGN_OR_RETURN(others_, client_.ListJobs(false, std::numeric_limits<uint32_t>::max()));
    std::erase_if(others_, [&job](const v1::Job& other) { return other.name() == job.name(); });
    RETURN_IF_ERROR(client_.DeleteJob(job.name()));
    console_.Say("removed " + Printable(job.name()));
    for (const v1::JobOutput& output : job.outputs())
      RETURN_IF_ERROR(RemoveVolume(output.volume(), "the result " + Printable(output.role())));
    for (const std::string& input : InputsOf(job.spec())) RETURN_IF_ERROR(RemoveInput(input));
    if (console_.json)
      console_.Json({{"event", "removed"}, {"job", job.name()}, {"volumes", removed_}, {"kept", kept_}});
    return absl::OkStatus();
  }

 private:
  absl::Status RemoveInput(const std::string& volume) {
    const auto user =
        std::find_if(others_.begin(), others_.end(), [&volume](const v1::Job& other) { return Uses(other, volume); });
    if (user == others_.end()) return RemoveVolume(volume, "an input");
    Keep(volume, fmt::format("{} uses it too", Printable(user->name())));
    return absl::OkStatus();
  }

  absl::Status RemoveVolume(const std::string& volume, const std::string& what) {
    const absl::Status status = client_.DeleteVolume(volume);
    if (absl::IsNotFound(status)) return absl::OkStatus();
    if (ReasonOf(status) == v1::VOLUME_IN_USE) {
      Keep(volume, Printable(std::string(status.message())));
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(status);
    removed_.push_back(volume);
    console_.Say(fmt::format("removed {}, {}", Printable(volume), what));
    return absl::OkStatus();
  }

  void Keep(const std::string& volume, const std::string& why) {
    kept_.push_back({{"volume", volume}, {"message", why}});
    console_.Say(fmt::format("{} stays: {}", Printable(volume), why));
  }

  const Client& client_;
  const Console& console_;
  std::vector<v1::Job> others_;
  nlohmann::json removed_ = nlohmann::json::array(), kept_ = nlohmann::json::array();
};

absl::Status DrawCurve(const v1::Job& job, const std::string& path) {
  if (job.objective().empty()) {
    return MakeError({.reason = v1::NOT_FOUND,
                      .remedy = "Give a deconvolution by a method that iterates, without --set objective=0; a job has "
                                "none whose PSF changes with depth, or whose tiles did not iterate alike."},
                     fmt::format("{} has kept no objective", Printable(job.name())));
  }
  return WritePng(path, DrawRunCurves(job));
}

absl::Status SetPaused(const Client& client, const JobOptions& options, const Console& console) {
  const std::string name = JobArgument(options.job);
  ASSIGN_OR_RETURN(const v1::Job job, options.pause ? client.PauseJob(name) : client.ResumeJob(name));
  if (console.json) console.Json(ToJson(job));
  console.Say(fmt::format("{} is {}", Printable(job.name()), Lower(v1::JobState_Name(job.state()))));
  return absl::OkStatus();
}

absl::Status ShowOrRemove(const JobOptions& options, const Console& console) {
  RETURN_IF_ERROR(CheckPicture(options.curve, "--curve", {}));
  RETURN_IF_ERROR(CheckPicture(options.preview, "--preview", {options.curve}));
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  if (options.pause || options.resume) return SetPaused(client, options, console);
  ASSIGN_OR_RETURN(const v1::Job job, client.GetJob(JobArgument(options.job)));
  if (!options.curve.empty()) RETURN_IF_ERROR(DrawCurve(job, options.curve));
  if (!options.preview.empty()) RETURN_IF_ERROR(SavePreview(client, job, options.preview));
  if (options.remove) return Removal(client, console).Remove(job);
  if (console.json) console.Json(ToJson(job));
  for (const std::string& line : JobDetails(job)) console.Say(line);
  return absl::OkStatus();
}

}  // namespace

void AddJob(CLI::App& root, Program& program) {
  AddVerb<JobOptions>(
      root, program, "job", "Show one job with everything known about it.", kExamples,
      [&program](CLI::App& verb, JobOptions& options) {
        verb.add_option("JOB", options.job, "Name of the job")->type_name("JOB")->required();
        CLI::Option* remove = verb.add_flag(
            "--delete", options.remove,
            "Remove the ended job from the server, with its results and with the image and PSF uploaded for it; what "
            "another job uses stays");
        CLI::Option* pause = verb.add_flag("--pause", options.pause,
                                           "Compute no further part of it; what is computed goes on to its end")
                                 ->excludes(remove);
        CLI::Option* resume =
            verb.add_flag("--resume", options.resume, "Go on with it after a pause")->excludes(remove)->excludes(pause);
        verb.add_option("--curve", options.curve,
                        std::string("Draw objective and residuals over the iterations into this .png") + kReplaced)
            ->type_name("FILE")
            ->excludes(pause)
            ->excludes(resume);
        verb.add_option("--preview", options.preview,
                        std::string("Draw what is computed so far of a deconvolution's result into this .png, as a "
                                    "small maximum projection") +
                            kReplaced)
            ->type_name("FILE")
            ->excludes(pause)
            ->excludes(resume);
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
      },
      [&program](const JobOptions& options) { return ShowOrRemove(options, program.console); });
}

}  // namespace deconvoy::client
