#include "client/cli/job_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "client/cli/images.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/cli/run_curves.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

constexpr std::chrono::seconds kDeliveryPatience{5};  // with a server that may be away
constexpr std::chrono::seconds kEndPatience{10};      // with a job that has been cancelled
constexpr std::chrono::seconds kRemovalPatience{10};
constexpr char kBetweenTasks[] = "work";  // a phase while no task runs
constexpr char kInQueue[] = "queue";

// Requests stop of its token after a time, unless destroyed before.
class Timeout {
 public:
  explicit Timeout(std::chrono::seconds limit)
      : thread_([this, limit](const std::stop_token& destroyed) {
          std::unique_lock lock(mutex_);
          woken_.wait_for(lock, destroyed, limit, [] { return false; });
          if (!destroyed.stop_requested()) elapsed_.request_stop();
        }) {}

  std::stop_token token() const { return elapsed_.get_token(); }

 private:
  std::stop_source elapsed_;
  std::mutex mutex_;
  std::condition_variable_any woken_;
  std::jthread thread_;  // last: joined before the rest goes
};

// Turns events into progress and lines.
class Narrator {
 public:
  explicit Narrator(Progress& progress) : progress_(progress) {}

  void Hear(const v1::JobEvent& event) {
    switch (event.event_case()) {
      case v1::JobEvent::kState:
        if (event.state() == v1::PAUSED) progress_.Show({.phase = "paused"});
        break;
      case v1::JobEvent::kProgress:
        Show(ToProgress(event.progress()));
        break;
      case v1::JobEvent::kFinding:
        Say(event.finding());
        break;
      case v1::JobEvent::kRetry:
        Say(event.retry());
        break;
      case v1::JobEvent::kEnded:
        for (const v1::Finding& finding : event.ended().findings()) Say(finding);
        break;
      default:
        break;
    }
  }

 private:
  // Between tasks and at the end the phase is that of the task before.
  void Show(ProgressState state) {
    if (state.phase == kBetweenTasks && !phase_.empty()) state.phase = phase_;
    phase_ = state.phase == kInQueue ? "" : state.phase;
    progress_.Show(state);
  }

  void Say(const v1::Finding& finding) {
    const Note note = ToNote(finding);
    if (said_.insert(NoteText(note)).second) progress_.Say(note);
  }

  void Say(const v1::TaskRetry& retry) {
    progress_.Say(
        {.message = fmt::format("{} is done again after attempt {}: {}", Printable(retry.task()), retry.attempt(),
                                retry.lost_lease() ? "its worker vanished" : Printable(retry.error().message()))});
  }

  Progress& progress_;
  std::string phase_;
  std::set<std::string> said_;
};

// Whether a call ended because the server was away, or took longer than there was patience.
bool NotAnswered(const absl::Status& status) {
  return IsRetryable(status) || absl::IsCancelled(status) || absl::IsDeadlineExceeded(status);
}

absl::Status NotCancelled(const Client& client, const std::string& job) {
  v1::ErrorInfo info;
  info.set_remedy(fmt::format("Cancel it later with: deconvoy cancel {} --server {}", job, client.address()));
  const std::string message = fmt::format("{} was not cancelled: the server at {} does not answer, and the job goes on",
                                          Printable(job), Printable(client.address()));
  return WithExitCode(FromWire(static_cast<int>(absl::StatusCode::kUnavailable), message, info.SerializeAsString()),
                      ExitCode::kCancelled);
}

absl::StatusOr<v1::Job> DeliverCancel(const Client& client, const std::string& job) {
  const Timeout patience(kDeliveryPatience);
  return client.CancelJob(job, patience.token());
}

}  // namespace

absl::Status CancelFollowed(const Client& client, const std::string& job, Progress& progress) {
  progress.Say({.message = fmt::format("cancelling {} (Ctrl-C again leaves at once)", Printable(job))});
  const auto cancelled = DeliverCancel(client, job);
  if (NotAnswered(cancelled.status())) return NotCancelled(client, job);
  if (!cancelled.ok()) return AddContext(cancelled.status(), "cancelling");
  const Timeout patience(kEndPatience);
  client.Watch(job, cancelled->last_sequence(), {}, patience.token()).IgnoreError();
  return MakeError({.reason = v1::CANCELLED_BY_USER}, fmt::format("{} was cancelled on request", Printable(job)));
}

ProgressState ToProgress(const v1::JobProgress& progress) {
  ProgressState state{.phase = kBetweenTasks, .fraction = progress.fraction()};
  const std::string activity = Printable(progress.activity());
  const auto is = [&activity](const char* name) { return activity.starts_with(name); };
  if (is("analyse") || is("simulate") || is("model") || is("distil") || is("prepare")) {
    state.phase = activity;
  } else if (is("waiting") && progress.fraction() == 0) {
    state = {.phase = kInQueue, .detail = activity == "waiting" ? "" : activity};
  } else {
    if (is("tile")) state.phase = "deconvolve";
    if (is("frame")) state.phase = "project";
    if (is("estimate")) state.phase = "estimate";
    if (is("calibrate")) state.phase = "calibrate";
    if (is("train") || is("finish the training")) state.phase = "train";
    state.detail = activity;
  }
  if (progress.iterations_total() > 0)
    state.detail += fmt::format("{}iteration {} of {}", state.detail.empty() ? "" : ", ", progress.iteration(),
                                progress.iterations_total());
  if (progress.has_objective()) {
    state.detail += fmt::format(", objective {:.4g}", progress.objective().value());
    const auto residual = RelativeResidual(progress.objective());
    if (residual) state.detail += fmt::format(", residual {:.2f} %", 100 * *residual);
  }
  if (progress.megavoxels_per_second() > 0)
    state.rate = fmt::format("{:.1f} Mvoxel/s", progress.megavoxels_per_second());
  state.figures = {{"fraction", progress.fraction()},
                   {"iteration", progress.iteration()},
                   {"iterations_total", progress.iterations_total()},
                   {"tasks_done", progress.tasks_done()},
                   {"tasks_total", progress.tasks_total()},
                   {"activity", Printable(progress.activity())},
                   {"megavoxels_per_second", progress.megavoxels_per_second()}};
  if (progress.has_objective()) state.figures["objective"] = ToJson(progress.objective());
  return state;
}

Note ToNote(const v1::Finding& finding) {
  return {.message = Printable(finding.message()),
          .severity = finding.severity() == v1::WARNING   ? "warning"
                      : finding.severity() == v1::REFUSAL ? "refused"
                                                          : "note",
          .remedy = Printable(finding.info().remedy())};
}

absl::StatusOr<v1::Job> FollowJob(const Client& client, const std::string& job, Progress& progress,
                                  const std::stop_token& stop, const JobObserver& observer) {
  Narrator narrator(progress);
  const auto hear = [&](const v1::JobEvent& event) {
    narrator.Hear(event);
    if (observer) observer(event);
  };
  return client.Watch(job, 0, hear, stop);
}

void Leftovers::AddJob(const v1::Job& job) {
  if (std::find(jobs_.begin(), jobs_.end(), job.name()) == jobs_.end()) jobs_.push_back(job.name());
  for (const v1::JobOutput& output : job.outputs())
    if (std::find(volumes_.begin(), volumes_.end(), output.volume()) == volumes_.end())
      volumes_.push_back(output.volume());
}

void Leftovers::RemoveStep(const Client& client, const v1::Job& job, bool volumes_too, Progress& progress) {
  Leftovers step;
  step.AddJob(job);
  if (!volumes_too) step.volumes_.clear();
  step.Remove(client, progress);
  for (const std::string& name : step.jobs_) std::erase(jobs_, name);
  for (const std::string& name : step.volumes_) std::erase(volumes_, name);
}

void Leftovers::Remove(const Client& client, Progress& progress) {
  const Timeout patience(kRemovalPatience);
  bool answers = true;
  const auto remove = [&](const std::string& name, const std::function<absl::Status()>& call) {
    const absl::Status status = answers ? call() : absl::UnavailableError("");
    if (status.ok() || absl::IsNotFound(status)) return;
    if (NotAnswered(status)) answers = false;
    const std::string why = answers ? Printable(std::string(status.message())) : "it does not answer";
    progress.Say({.message = fmt::format("{} stays on the server: {}", Printable(name), why), .severity = "warning"});
  };
  for (const std::string& job : jobs_) remove(job, [&] { return client.DeleteJob(job, patience.token()); });
  for (const std::string& volume : volumes_)
    remove(volume, [&] { return client.DeleteVolume(volume, patience.token()); });
  for (const std::string& model : models_) remove(model, [&] { return client.DeleteModel(model, patience.token()); });
}

absl::StatusOr<v1::Job> RunJob(Session& session, const v1::JobSpec& spec, Leftovers& leftovers, Progress& progress,
                               const std::stop_token& stop) {
  const Client& client = session.client();
  ASSIGN_OR_RETURN(const v1::Job submitted, session.Submit(spec, progress, stop));
  leftovers.AddJob(submitted);
  const auto ended = FollowJob(client, submitted.name(), progress, stop);
  if (!ended.ok() && stop.stop_requested()) return CancelFollowed(client, submitted.name(), progress);
  if (!ended.ok()) return ended.status();
  leftovers.AddJob(*ended);
  RETURN_IF_ERROR(OutcomeOf(*ended, session.local() ? "the job" : ""));
  return *ended;
}

bool HasOutput(const v1::Job& job, const std::string& role) {
  return std::any_of(job.outputs().begin(), job.outputs().end(),
                     [&](const v1::JobOutput& output) { return output.role() == role; });
}

std::filesystem::path PsfFileBeside(const std::filesystem::path& result) {
  std::filesystem::path stem = result.stem();
  std::string extension = result.extension().string();
  if (stem.extension() == ".ome") {
    extension = ".ome" + extension;
    stem = stem.stem();
  }
  return result.parent_path() / (stem.string() + ".psf" + extension);
}

absl::StatusOr<std::string> OutputVolume(const v1::Job& job, const std::string& role) {
  std::vector<std::string> roles;
  for (const v1::JobOutput& output : job.outputs()) {
    if (output.role() == role) return output.volume();
    roles.push_back(Printable(output.role()));
  }
  return MakeError({.reason = v1::NOT_FOUND, .remedy = fmt::format("It has: {}.", fmt::join(roles, ", "))},
                   fmt::format("{} has no result called '{}'", Printable(job.name()), Printable(role)));
}

std::optional<imageio::DisplayRange> DisplayRangeOf(const v1::Job& job, std::string_view role) {
  if (role == "residual") return imageio::DisplayRange{-5, 5};
  if (role != "estimate" || !job.has_result()) return std::nullopt;
  return imageio::DisplayRange{job.result().minimum(), job.result().maximum()};
}

absl::Status SaveOutput(const Client& client, const v1::Job& job, const std::string& role,
                        const std::filesystem::path& file, const imageio::WriteOptions& options, const Console& console,
                        Progress& progress, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const std::string volume, OutputVolume(job, role));
  ASSIGN_OR_RETURN(const v1::VolumeSpec spec, DownloadImage(client, volume, file, options, progress, stop));
  progress.Clear();
  console.Say(fmt::format("wrote {}: {}", Printable(file.string()), ShapeText(spec)));
  if (console.json) console.Json({{"event", "result"}, {"role", role}, {"output", file.string()}});
  return absl::OkStatus();
}

std::string JobArgument(const std::string& text) {
  return text.find('/') == std::string::npos ? "jobs/" + text : text;
}

}  // namespace deconvoy::client
