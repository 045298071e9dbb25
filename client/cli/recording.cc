#include "client/cli/recording.h"

#include <fmt/format.h>

#include <utility>

#include "client/cli/job_run.h"
#include "client/cli/outcome.h"
#include "client/cli/values.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(10);  // between two looks at a feed that has nothing
constexpr absl::Duration kDrain = absl::Seconds(30);      // for planes on their way, when the feeding stops

absl::Status Stopped() {
  return MakeError({.reason = v1::CANCELLED_BY_USER}, "stopped on request");
}

}  // namespace

Recording::Recording(PlaneFeed& feed, AcquisitionStream& stream, ResultFile& result, Progress& progress,
                     const RecordingOptions& options, std::function<absl::Time()> clock)
    : feed_(feed),
      stream_(stream),
      result_(result),
      progress_(progress),
      options_(options),
      clock_(std::move(clock)),
      planes_(stream.counts().planes_total),
      channels_(stream.opened().input().spec().shape().c()),
      depth_(stream.opened().input().spec().shape().z()) {
  const v1::VolumeSpec& spec = stream.opened().input().spec();
  plane_.resize(size_t{spec.shape().y()} * spec.shape().x() * static_cast<size_t>(BytesPerVoxel(spec.type())));
}

absl::Status Recording::Feed(const std::stop_token& stop) {
  const absl::Status fed = FeedOn(stop);
  if (fed.ok()) return fed;
  progress_.Show({.phase = "wait for the planes on their way"});
  // What the stream has ended with is told already, where that was the reason.
  if (const absl::Status closed = stream_.Close(kDrain); absl::IsDeadlineExceeded(closed))
    progress_.Say({.message = Printable(std::string(closed.message())), .severity = "warning"});
  return fed;
}

absl::StatusOr<v1::Job> Recording::AwaitEnd(const std::stop_token& stop) {
  while (!ended_) {
    if (stop.stop_requested()) return Stopped();
    RETURN_IF_ERROR(Hear(absl::Milliseconds(100)));
  }
  RETURN_IF_ERROR(OutcomeOf(*ended_));
  RETURN_IF_ERROR(result_.Finish());
  return *ended_;
}

Recording::Place Recording::PlaceOf(int64_t index) const {
  const int64_t frame = channels_ * depth_, rest = index % frame;
  if (options_.channels_first) return {index / frame, rest % channels_, rest / channels_};
  return {index / frame, rest / depth_, rest % depth_};
}

absl::Status Recording::FeedOn(const std::stop_token& stop) {
  absl::Time last = clock_();
  // Of a recording that was whole when it was taken up again nothing more is needed.
  const int64_t begin = stream_.counts().planes_taken == planes_ ? planes_ : 0;
  for (int64_t index = begin; index < planes_;) {
    if (stop.stop_requested()) return Stopped();
    RETURN_IF_ERROR(Hear(absl::ZeroDuration()));
    if (ended_) return OutcomeOf(*ended_);
    const Place place = PlaceOf(index);
    const bool there = stream_.Has(place.t, place.c, place.z);
    if (there && !feed_.replays()) {
      ++index;
      continue;
    }
    ASSIGN_OR_RETURN(const FeedState state, feed_.Next(there ? std::span<std::byte>() : plane_));
    if (state == FeedState::kPlane) {
      if (const absl::Status pushed = there ? absl::OkStatus() : PushPlane(place, stop); !pushed.ok()) {
        return UnlessItHasEnded(pushed);
      }
      ++index;
      last = clock_();
      continue;
    }
    if (state == FeedState::kEnd || clock_() - last >= options_.idle_timeout) {
      const std::string why = state == FeedState::kEnd
                                  ? "there are no more"
                                  : fmt::format("none has come for {}", absl::FormatDuration(options_.idle_timeout));
      return absl::DeadlineExceededError(fmt::format("{} of {} planes were recorded, and {}; waited for {}", index,
                                                     planes_, why, Printable(feed_.AwaitedText())));
    }
    RETURN_IF_ERROR(Hear(kLook));
  }
  if (const absl::Status finished = stream_.Finish(); !finished.ok()) return UnlessItHasEnded(finished);
  finished_ = true;
  return absl::OkStatus();
}

absl::Status Recording::UnlessItHasEnded(const absl::Status& status) {
  RETURN_IF_ERROR(Hear(absl::ZeroDuration()));
  return ended_ ? OutcomeOf(*ended_) : status;
}

absl::Status Recording::PushPlane(const Place& place, const std::stop_token& stop) {
  for (;;) {
    const absl::Status pushed = stream_.Push(place.t, place.c, place.z, plane_, absl::Milliseconds(50));
    if (!absl::IsResourceExhausted(pushed)) return pushed;
    if (stop.stop_requested()) return Stopped();
    RETURN_IF_ERROR(Hear(absl::ZeroDuration()));
  }
}

absl::Status Recording::Hear(absl::Duration patience) {
  for (;; patience = absl::ZeroDuration()) {
    ASSIGN_OR_RETURN(const auto event, stream_.Poll(patience));
    if (!event) break;
    RETURN_IF_ERROR(Take(*event));
  }
  Show();
  return absl::OkStatus();
}

absl::Status Recording::Take(const AcquisitionEvent& event) {
  if (const auto* box = std::get_if<FinishedBox>(&event)) return result_.Put(box->box, box->voxels);
  if (const auto* backlog = std::get_if<v1::Backlog>(&event)) backlog_seconds_ = backlog->seconds();
  if (const auto* progress = std::get_if<v1::JobProgress>(&event)) job_progress_ = *progress;
  if (const auto* finding = std::get_if<v1::Finding>(&event)) {
    const Note note = ToNote(*finding);
    if (said_.insert(NoteText(note)).second) progress_.Say(note);
  }
  if (const auto* outage = std::get_if<Outage>(&event); outage != nullptr && outage->over == away_) {
    away_ = !outage->over;
    const std::string text = outage->over ? "the server answers again"
                                          : fmt::format("{}; trying again, and planes are kept meanwhile",
                                                        Printable(std::string(outage->error.message())));
    progress_.Say({.message = text});
  }
  if (const auto* job = std::get_if<v1::Job>(&event)) ended_ = *job;
  return absl::OkStatus();
}

void Recording::Show() {
  const AcquisitionCounts counts = stream_.counts();
  const double computed = result_.fraction();
  ProgressState state;
  if (finished_ && job_progress_) {
    state = ToProgress(*job_progress_);
  } else {
    state.phase = "record";
    state.fraction = static_cast<double>(counts.planes_durable) / static_cast<double>(planes_);
    state.detail = fmt::format("{} of {} planes, {} on the server, result {:.0f} %", counts.planes_taken, planes_,
                               counts.planes_durable, 100 * computed);
    if (backlog_seconds_ >= 1) state.detail += fmt::format(", computing is {} behind", DurationText(backlog_seconds_));
    state.figures = nlohmann::json::object();
  }
  state.figures.update({{"planes_total", planes_},
                        {"planes_taken", counts.planes_taken},
                        {"planes_durable", counts.planes_durable},
                        {"fraction_written", computed},
                        {"backlog_seconds", backlog_seconds_}});
  progress_.Show(state);
}

}  // namespace deconvoy::client
