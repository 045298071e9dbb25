#include "server/observe/audit.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "proto/contract/error.h"

namespace deconvoy::server {
namespace {

constexpr const char* kLogger = "audit";

// In quotes, so that no part can look like another one.
std::string Quoted(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return fmt::format("\"{}\"", Printable(escaped));
}

}  // namespace

absl::Status SetUpAudit(const std::filesystem::path& file) {
  // The file that is made has its mode from the start.
  const int descriptor = open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return MakeError({.reason = v1::STORAGE_FAILURE,
                      .field = "audit.file",
                      .remedy = "name a file that the server may write",
                      .metadata = {{"path", file.string()}}},
                     fmt::format("cannot open the audit log {}: {}", Printable(file.string()), std::strerror(errno)));
  }
  close(descriptor);
  auto logger =
      std::make_shared<spdlog::logger>(kLogger, std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.string()));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %v");
  logger->flush_on(spdlog::level::trace);
  spdlog::drop(kLogger);
  spdlog::register_logger(std::move(logger));
  return absl::OkStatus();
}

void Audit(const AuditEvent& event) {
  const std::shared_ptr<spdlog::logger> own = spdlog::get(kLogger);
  const std::string line =
      fmt::format("audit who={} from={} what={} about={} outcome={}", Quoted(event.who), Quoted(event.from),
                  Quoted(event.what), Quoted(event.subject), Quoted(event.outcome));
  if (own != nullptr) {
    own->info(line);
  } else {
    spdlog::info(line);
  }
}

}  // namespace deconvoy::server
