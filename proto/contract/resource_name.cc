#include "proto/contract/resource_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy {
namespace {

constexpr std::string_view kVolumes = "volumes/", kJobs = "jobs/", kWorkers = "workers/", kTasks = "/tasks/";
constexpr std::string_view kPsfs = "psfs/", kVersions = "/versions/";
constexpr size_t kIdLength = 40;
constexpr size_t kPsfIdLength = 63;
constexpr size_t kShownLength = 100;

absl::Status Malformed(std::string_view name, std::string_view field, std::string_view pattern) {
  return MakeError(
      {.reason = v1::INVALID_FIELD,
       .field = std::string(field),
       .remedy = fmt::format("Give a name of the form {}; an id is 1 to 40 characters of [a-z0-9-].", pattern)},
      fmt::format("`{}` is `{}`, which is not a name of the form {}", field, name.substr(0, kShownLength), pattern));
}

bool HasIdCharacters(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

bool IsId(std::string_view text) {
  return !text.empty() && text.size() <= kIdLength && HasIdCharacters(text);
}

// A whole number of at least `least` in its one form, without sign and leading zeros; -1 for anything else.
int64_t NumberFrom(std::string_view digits, int64_t least) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  return whole && number >= least && fmt::to_string(number) == digits ? number : -1;
}

absl::StatusOr<std::string> IdAfter(std::string_view prefix, std::string_view name, std::string_view field) {
  if (name.starts_with(prefix) && IsId(name.substr(prefix.size()))) return std::string(name.substr(prefix.size()));
  return Malformed(name, field, fmt::format("{}{{id}}", prefix));
}

}  // namespace

std::string VolumeName(std::string_view id) {
  return fmt::format("{}{}", kVolumes, id);
}
std::string JobName(std::string_view id) {
  return fmt::format("{}{}", kJobs, id);
}
std::string WorkerName(std::string_view id) {
  return fmt::format("{}{}", kWorkers, id);
}
std::string TaskName(std::string_view job_id, int64_t number) {
  return fmt::format("{}{}{}{}", kJobs, job_id, kTasks, number);
}

absl::StatusOr<std::string> VolumeId(std::string_view name, std::string_view field) {
  return IdAfter(kVolumes, name, field);
}
absl::StatusOr<std::string> JobId(std::string_view name, std::string_view field) {
  return IdAfter(kJobs, name, field);
}
absl::StatusOr<std::string> WorkerId(std::string_view name, std::string_view field) {
  return IdAfter(kWorkers, name, field);
}

absl::StatusOr<TaskId> ParseTaskName(std::string_view name, std::string_view field) {
  const absl::Status malformed = Malformed(name, field, "jobs/{id}/tasks/{n}");
  const size_t cut = name.find(kTasks);
  if (cut == std::string_view::npos) return malformed;
  const absl::StatusOr<std::string> job_id = JobId(name.substr(0, cut), field);
  if (!job_id.ok()) return malformed;
  TaskId id{.job_id = *job_id, .number = NumberFrom(name.substr(cut + kTasks.size()), 0)};
  if (id.number < 0) return malformed;
  return id;
}

bool IsPsfId(std::string_view id) {
  return !id.empty() && id.size() <= kPsfIdLength && id.front() >= 'a' && id.front() <= 'z' && HasIdCharacters(id);
}

bool IsOfPsf(std::string_view name) {
  return name.starts_with(kPsfs);
}

std::string PsfName(const PsfId& psf) {
  if (psf.version == 0) return fmt::format("{}{}", kPsfs, psf.id);
  return fmt::format("{}{}{}{}", kPsfs, psf.id, kVersions, psf.version);
}

absl::StatusOr<PsfId> ParsePsfName(std::string_view name, std::string_view field) {
  const size_t cut = std::min(name.find(kVersions), name.size());
  if (IsOfPsf(name) && cut >= kPsfs.size()) {
    PsfId psf{.id = std::string(name.substr(kPsfs.size(), cut - kPsfs.size())), .version = 0};
    if (cut < name.size()) psf.version = NumberFrom(name.substr(cut + kVersions.size()), 1);
    if (IsPsfId(psf.id) && psf.version >= 0) return psf;
  }
  return MakeError(
      {.reason = v1::INVALID_FIELD,
       .field = std::string(field),
       .remedy = "Give a name of the form psfs/{id} or psfs/{id}/versions/{n}; an id is 1 to 63 characters of "
                 "[a-z0-9-], the first a letter."},
      fmt::format("`{}` is `{}`, which is not the name of a PSF", field, name.substr(0, kShownLength)));
}

}  // namespace deconvoy
