#include "server/jobs/job_state.h"

#include <fmt/format.h>

#include <string_view>

namespace deconvoy::server {
namespace {

bool MayFollow(v1::JobState from, v1::JobState to) {
  switch (from) {
    case v1::PENDING:
      return to == v1::RUNNING || to == v1::PAUSED || to == v1::FAILED || to == v1::CANCELLED;
    case v1::RUNNING:
      return to == v1::PAUSED || IsEnd(to);
    case v1::PAUSED:
      return to == v1::PENDING || to == v1::RUNNING || IsEnd(to);
    default:
      return false;
  }
}

bool MayFollow(TaskState from, TaskState to) {
  switch (from) {
    case TaskState::kBlocked:
      return to == TaskState::kReady || to == TaskState::kCancelled;
    case TaskState::kReady:
      return to == TaskState::kLeased || to == TaskState::kCancelled;
    case TaskState::kLeased:
      return to == TaskState::kReady || IsEnd(to);
    default:
      return false;
  }
}

std::string_view NameOf(TaskState state) {
  switch (state) {
    case TaskState::kBlocked:
      return "BLOCKED";
    case TaskState::kReady:
      return "READY";
    case TaskState::kLeased:
      return "LEASED";
    case TaskState::kDone:
      return "DONE";
    case TaskState::kFailed:
      return "FAILED";
    case TaskState::kCancelled:
      return "CANCELLED";
  }
  return "UNKNOWN";
}

absl::Status Illegal(std::string_view what, std::string_view from, std::string_view to) {
  return absl::InternalError(fmt::format("a {} cannot move from {} to {}", what, from, to));
}

}  // namespace

bool IsEnd(v1::JobState state) {
  return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED;
}

bool IsEnd(TaskState state) {
  return state == TaskState::kDone || state == TaskState::kFailed || state == TaskState::kCancelled;
}

absl::Status Move(v1::JobState& state, v1::JobState to) {
  if (!MayFollow(state, to)) return Illegal("job", v1::JobState_Name(state), v1::JobState_Name(to));
  state = to;
  return absl::OkStatus();
}

absl::Status Move(TaskState& state, TaskState to) {
  if (!MayFollow(state, to)) return Illegal("task", NameOf(state), NameOf(to));
  state = to;
  return absl::OkStatus();
}

}  // namespace deconvoy::server
