#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/config/address.h"
#include "server/config/named_folder.h"
#include "server/config/server_config.h"

namespace deconvoy::server {
namespace {

using C = ServerConfig;

const std::vector<Key>& Table() {
  static const std::vector<Key> table = {
      {.name = "state_folder",
       .flag = "--state",
       .meaning = "Folder for the database, the volumes and the worker credential. One server at a time.",
       .member = &C::state_folder},
      {.name = "listen",
       .flag = "--listen",
       .meaning = "Addresses to listen on: unix:/path, or a numeric address and port such as 127.0.0.1:7450, "
                  "[::1]:7450 or, with TLS and tokens, 0.0.0.0:7450; port 0 takes a free one. Those chosen stand in "
                  "`address` in the state folder.",
       .member = &C::listen},
      {.name = "log_level",
       .flag = "--log-level",
       .meaning = "What is logged on standard error, by the server and its workers.",
       .member = &C::log_level,
       .choices = {"trace", "debug", "info", "warning", "error", "off"}},
      {.name = "shutdown_grace_ms",
       .flag = "--shutdown-grace-ms",
       .meaning =
           "How long running tasks may go on after SIGTERM. What is not finished is done again after the next start.",
       .member = &C::shutdown_grace_ms,
       .minimum = 0,
       .maximum = 3'600'000},
      {.name = "auth.tokens",
       .flag = "--tokens",
       .meaning = "Whether every call needs a token. With off everybody who reaches the server is the user `local` and "
                  "administers it; that is for Unix sockets and loopback only.",
       .member = &C::auth_tokens,
       .choices = {"off", "required"}},
      {.name = "tls.certificate",
       .flag = "--tls-certificate",
       .meaning = "PEM file with the server's certificate and those between it and its authority. With it every port "
                  "speaks TLS; Unix sockets never do.",
       .member = &C::tls_certificate},
      {.name = "tls.key",
       .flag = "--tls-key",
       .meaning = "PEM file with the certificate's key, without passphrase, which not everybody may read.",
       .member = &C::tls_key},
      {.name = "tls.client_ca",
       .flag = "--tls-client-ca",
       .meaning = "PEM file with the authorities of callers' certificates; with it every caller needs one, besides the "
                  "token. Empty asks for none.",
       .member = &C::tls_client_ca},
      {.name = "audit.file",
       .flag = "--audit-file",
       .meaning = "File for the audit log, which grows; empty puts its lines into the normal log, at the level info.",
       .member = &C::audit_file},
      {.name = "limits.open_calls",
       .flag = "--open-calls",
       .meaning =
           "Calls of users that may be open at once; one thread each, and four for a recording. Workers' calls are not "
           "counted.",
       .member = &C::open_calls,
       .minimum = 8,
       .maximum = 10'000},
      {.name = "limits.open_calls_per_user",
       .flag = "--open-calls-per-user",
       .meaning = "The same of one user, where tokens are required. 0: as many as of all.",
       .member = &C::open_calls_per_user,
       .minimum = 0,
       .maximum = 10'000},
      {.name = "limits.calls_per_second",
       .flag = "--calls-per-second",
       .meaning = "Calls that one user may begin per second on average, where tokens are required; twice as many after "
                  "a rest. 0: any number.",
       .member = &C::calls_per_second,
       .minimum = 0,
       .maximum = 1'000'000},
      {.name = "limits.streams_per_connection",
       .flag = "--streams-per-connection",
       .meaning = "Calls that may be open at once on one connection; further ones wait for one to end.",
       .member = &C::streams_per_connection,
       .minimum = 4,
       .maximum = 10'000},
      {.name = "limits.idle_stream_ms",
       .flag = "--idle-stream-ms",
       .meaning = "An upload or download on which nothing moves for so long is ended. 0: never.",
       .member = &C::idle_stream_ms,
       .minimum = 0,
       .maximum = 604'800'000},
      {.name = "limits.keep_free_bytes",
       .flag = "--keep-free-bytes",
       .meaning = "Room on the disk that is never given to volumes and scratch files.",
       .member = &C::keep_free_bytes,
       .minimum = 0,
       .maximum = int64_t{1} << 50},
      {.name = "quota.bytes",
       .flag = "--quota-bytes",
       .meaning = "Bytes of volumes that a user may have; 0 is without limit.",
       .member = &C::quota_bytes,
       .minimum = 0,
       .maximum = int64_t{1} << 60},
      {.name = "quota.jobs",
       .flag = "--quota-jobs",
       .meaning = "Jobs that have not ended that a user may have; 0 is without limit.",
       .member = &C::quota_jobs,
       .minimum = 0,
       .maximum = 1'000'000},
      {.name = "files.read_only",
       .flag = "--files-read-only",
       .meaning = "Folders of this machine that files may be imported from, each as NAME=PATH with an absolute path. "
                  "Administrators may use all, other users those that they are allowed.",
       .member = &C::files_read_only},
      {.name = "files.read_write",
       .flag = "--files-read-write",
       .meaning = "The same for folders that files may be exported to, too. Workers of this machine write there as the "
                  "user that runs them.",
       .member = &C::files_read_write},
      {.name = "retention.result_days",
       .flag = "--result-days",
       .meaning = "Days after its last use when a result that nobody has fetched is removed; 0 keeps it.",
       .member = &C::result_days,
       .minimum = 0,
       .maximum = 36'500},
      {.name = "retention.fetched_days",
       .flag = "--fetched-days",
       .meaning = "Days after its last use when a result that was fetched is removed; 0 keeps it.",
       .member = &C::fetched_days,
       .minimum = 0,
       .maximum = 36'500},
      {.name = "retention.upload_days",
       .flag = "--upload-days",
       .meaning = "Days after its last use when an upload, whole or broken off, is removed; 0 keeps it.",
       .member = &C::upload_days,
       .minimum = 0,
       .maximum = 36'500},
      {.name = "retention.high_water",
       .flag = "--high-water",
       .meaning = "Percent of the spool's disk in use above which results that were fetched, and then uploads, are "
                  "removed before their time, those used longest ago first; 0 keeps them.",
       .member = &C::high_water,
       .minimum = 0,
       .maximum = 99},
      {.name = "tasks.lease_ms",
       .flag = "--lease-ms",
       .meaning = "A worker that has been silent for this long loses its task, which is then done again.",
       .member = &C::lease_ms,
       .minimum = 500,
       .maximum = 600'000},
      {.name = "tasks.attempts",
       .flag = "--attempts",
       .meaning = "Errors and crashes after which a task, and with it its job, has failed.",
       .member = &C::attempts,
       .minimum = 1,
       .maximum = 100},
      {.name = "shares.half_life_minutes",
       .flag = "--half-life-minutes",
       .meaning =
           "Users are served by the workers' time that they have spent; after this long half of it is forgotten. "
           "Time in which the server does not run is not counted.",
       .member = &C::half_life_minutes,
       .minimum = 1,
       .maximum = 366 * 24 * 60},
      {.name = "shares.running_tasks",
       .flag = "--running-tasks",
       .meaning =
           "Tasks of one user that workers may hold at once, for users without a bound of their own; 0: any number.",
       .member = &C::running_tasks,
       .minimum = 0,
       .maximum = 1'000'000},
      {.name = "shares.lower_class_percent",
       .flag = "--lower-class-percent",
       .meaning =
           "Part of the workers' time that jobs of a lower class get at least while more urgent ones are served; 0: "
           "none, they wait until nothing else is left.",
       .member = &C::lower_class_percent,
       .minimum = 0,
       .maximum = 50},
      {.name = "workers.count",
       .flag = "--workers",
       .meaning = "Worker processes that the server starts on this machine's processors; 0 when all workers come from "
                  "elsewhere or compute on GPUs.",
       .member = &C::worker_count,
       .minimum = 0,
       .maximum = 256},
      {.name = "workers.gpus",
       .flag = "--gpus",
       .meaning = "GPUs of this machine that get a worker each, beside those on the processors: none, all, or indices "
                  "and UUIDs (`GPU-...`, which may be cut short, or `MIG-...`) with commas between them. "
                  "`deconvoy-worker --devices` lists them.",
       .member = &C::worker_gpus},
      {.name = "workers.gpu_memory_mib",
       .flag = "--gpu-memory-mib",
       .meaning = "Memory of its GPU that one task may use on each of those, in MiB; 0 takes 90 % of what is free.",
       .member = &C::worker_gpu_memory_mib,
       .minimum = 0,
       .maximum = int64_t{1} << 26},
      {.name = "workers.threads",
       .flag = "--worker-threads",
       .meaning = "Threads of each; 0 shares the processors out evenly, of which a worker on a GPU takes 8 at most.",
       .member = &C::worker_threads,
       .minimum = 0,
       .maximum = 1024},
      {.name = "workers.memory_mib",
       .flag = "--worker-memory-mib",
       .meaning =
           "Memory that one task may use on each of these, in MiB; 0 shares out three quarters of the machine's.",
       .member = &C::worker_memory_mib,
       .minimum = 0,
       .maximum = int64_t{1} << 26},
      {.name = "workers.pinning",
       .flag = "--worker-pinning",
       .meaning = "Where workers' threads run: wherever the system puts them, or each tied to a core of its own, a "
                  "worker's side by side. With cores, start one worker per NUMA node.",
       .member = &C::worker_pinning,
       .choices = {"none", "cores"}},
      {.name = "workers.command",
       .flag = "--worker-command",
       .meaning = "The worker program; empty means `deconvoy-worker` beside this one.",
       .member = &C::worker_command},
      {.name = "workers.cache_folder",
       .flag = "--worker-cache",
       .meaning = "Where workers keep measured transform plans; empty means `cache` in the state folder.",
       .member = &C::worker_cache_folder},
  };
  return table;
}

absl::Status Refuse(const Key& key, std::string_view where, std::string_view what) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = std::string(key.name), .remedy = std::string(key.meaning)},
                   fmt::format("{}: {} {}", Printable(where), key.name, what));
}

bool IsGpuName(std::string_view name) {
  const auto all = [](std::string_view text, auto accepts) { return std::ranges::all_of(text, accepts); };
  if (name.starts_with("GPU-") || name.starts_with("MIG-")) {
    return name.size() > 4 &&
           all(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '/'; });
  }
  return !name.empty() && name.size() <= 4 && all(name, [](char c) { return c >= '0' && c <= '9'; });
}

absl::Status CheckGpus(const Key& key, std::string_view value, std::string_view where) {
  if (value == "none" || value == "all") return absl::OkStatus();
  for (size_t begin = 0; begin <= value.size();) {
    const size_t end = std::min(value.find(',', begin), value.size());
    const std::string_view name = value.substr(begin, end - begin);
    if (!IsGpuName(name)) {
      return Refuse(
          key, where,
          fmt::format("has \"{}\", but must be none, all, or a list such as 0,1 or GPU-8c1f", Printable(name)));
    }
    begin = end + 1;
  }
  return absl::OkStatus();
}

absl::Status CheckText(const Key& key, const std::string& value, std::string_view where) {
  if (!key.choices.empty() && std::ranges::find(key.choices, value) == key.choices.end()) {
    return Refuse(key, where, fmt::format("is \"{}\", but must be {}", Printable(value), RangeText(key)));
  }
  if (Printable(value) != value) {
    return Refuse(key, where, fmt::format("is \"{}\", but must not have control characters", Printable(value)));
  }
  if (key.name == "workers.gpus") return CheckGpus(key, value, where);
  if (key.name == "state_folder" && value.empty()) return Refuse(key, where, "is empty, but must name a folder");
  return absl::OkStatus();
}

absl::Status CheckFolders(const Key& key, const std::vector<std::string>& values) {
  for (const std::string& value : values) RETURN_IF_ERROR(ParseNamedFolder(key.name, value).status());
  return absl::OkStatus();
}

absl::Status CheckAddresses(const Key& key, const std::vector<std::string>& values, std::string_view where) {
  if (values.empty()) return Refuse(key, where, "is empty, but must have at least one address");
  for (const std::string& value : values) {
    if (const auto address = ParseAddress(value); !address.ok()) return AddContext(address.status(), Printable(where));
  }
  return absl::OkStatus();
}

}  // namespace

std::span<const Key> Keys() {
  return Table();
}

std::string RangeText(const Key& key) {
  if (std::holds_alternative<int64_t C::*>(key.member)) return fmt::format("from {} to {}", key.minimum, key.maximum);
  if (!key.choices.empty()) return fmt::format("one of {}", fmt::join(key.choices, ", "));
  return {};
}

absl::Status CheckValue(const Key& key, const ServerConfig& config, std::string_view where) {
  if (const auto* text = std::get_if<std::string C::*>(&key.member)) return CheckText(key, config.**text, where);
  if (const auto* number = std::get_if<int64_t C::*>(&key.member)) {
    const int64_t value = config.**number;
    if (value >= key.minimum && value <= key.maximum) return absl::OkStatus();
    return Refuse(key, where, fmt::format("is {}, but must be {}", value, RangeText(key)));
  }
  const std::vector<std::string>& list = config.*std::get<std::vector<std::string> C::*>(key.member);
  if (key.name != "listen") return AddContext(CheckFolders(key, list), Printable(where));
  return CheckAddresses(key, list, where);
}

}  // namespace deconvoy::server
