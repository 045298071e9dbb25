#include "proto/contract/resource_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy {
namespace {

constexpr std::string_view kVolumes = "volumes/", kJobs = "jobs/", kWorkers = "workers/", kTasks = "/tasks/";
constexpr std::string_view kPsfs = "psfs/", kModels = "models/", kVersions = "/versions/";
constexpr size_t kIdLength = 40;
constexpr size_t kLibraryIdLength = 63;
constexpr size_t kShownLength = 100;

absl::Status MalformedName(std::string_view name, std::string_view field, std::string_view pattern) {
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
  return MalformedName(name, field, fmt::format("{}{{id}}", prefix));
}

bool IsLibraryId(std::string_view id) {
  return !id.empty() && id.size() <= kLibraryIdLength && id.front() >= 'a' && id.front() <= 'z' && HasIdCharacters(id);
}

std::string LibraryName(std::string_view prefix, std::string_view id, int64_t version) {
  if (version == 0) return fmt::format("{}{}", prefix, id);
  return fmt::format("{}{}{}{}", prefix, id, kVersions, version);
}

// `Id` is PsfId or ModelId, called `noun`.
template <class Id>
absl::StatusOr<Id> ParseLibraryName(std::string_view prefix, std::string_view noun, std::string_view name,
                                    std::string_view field) {
  const size_t cut = std::min(name.find(kVersions), name.size());
  if (name.starts_with(prefix) && cut >= prefix.size()) {
    Id id{.id = std::string(name.substr(prefix.size(), cut - prefix.size())), .version = 0};
    if (cut < name.size()) id.version = NumberFrom(name.substr(cut + kVersions.size()), 1);
    if (IsLibraryId(id.id) && id.version >= 0) return id;
  }
  return MakeError(
      {.reason = v1::INVALID_FIELD,
       .field = std::string(field),
       .remedy = fmt::format("Give a name of the form {0}{{id}} or {0}{{id}}/versions/{{n}}; an id is 1 to 63 "
                             "characters of [a-z0-9-], the first a letter.",
                             prefix)},
      fmt::format("`{}` is `{}`, which is not the name of a {}", field, name.substr(0, kShownLength), noun));
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
  const absl::Status malformed = MalformedName(name, field, "jobs/{id}/tasks/{n}");
  const size_t cut = name.find(kTasks);
  if (cut == std::string_view::npos) return malformed;
  const absl::StatusOr<std::string> job_id = JobId(name.substr(0, cut), field);
  if (!job_id.ok()) return malformed;
  TaskId id{.job_id = *job_id, .number = NumberFrom(name.substr(cut + kTasks.size()), 0)};
  if (id.number < 0) return malformed;
  return id;
}

bool IsPsfId(std::string_view id) {
  return IsLibraryId(id);
}

bool IsOfPsf(std::string_view name) {
  return name.starts_with(kPsfs);
}

std::string PsfName(const PsfId& psf) {
  return LibraryName(kPsfs, psf.id, psf.version);
}

absl::StatusOr<PsfId> ParsePsfName(std::string_view name, std::string_view field) {
  return ParseLibraryName<PsfId>(kPsfs, "PSF", name, field);
}

std::string ModelName(const ModelId& model) {
  return LibraryName(kModels, model.id, model.version);
}

absl::StatusOr<ModelId> ParseModelName(std::string_view name, std::string_view field) {
  return ParseLibraryName<ModelId>(kModels, "model", name, field);
}

}  // namespace deconvoy
