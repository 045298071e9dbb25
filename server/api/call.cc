#include "server/api/call.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

// Headers may take 8 KiB; details are sent as base64.
constexpr size_t kMessageLimit = 2000;
constexpr size_t kDetailsLimit = 3000;

std::string Shortened(std::string text) {
  if (text.size() > kMessageLimit) text = text.substr(0, kMessageLimit) + " ...";
  return text;
}

std::string FittingDetails(const absl::Status& status) {
  std::string details = SerializedInfo(status);
  if (details.size() <= kDetailsLimit) return details;
  v1::ErrorInfo info = InfoOf(status);
  info.clear_metadata();
  if (info.ByteSizeLong() > kDetailsLimit) {
    info.clear_remedy();
    info.clear_field();
  }
  return info.SerializeAsString();
}

std::string_view Authorization(const grpc::ServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find("authorization");
  if (found == metadata.end()) return {};
  return {found->second.data(), found->second.size()};
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const std::string message(status.message());
  return {static_cast<grpc::StatusCode>(status.code()), Shortened(Printable(message)), FittingDetails(status)};
}

absl::Status Door::CheckOpen() const {
  if (!closing_) return absl::OkStatus();
  return MakeError({.reason = v1::SHUTTING_DOWN, .remedy = "try again in a while"},
                   "the server is stopping and takes nothing new");
}

Call::Call(Door& door, From from, const char* rpc, const grpc::ServerContext& context, std::string_view subject)
    : door_(door),
      from_(from),
      rpc_(rpc),
      context_(context),
      caller_(IdentifyCaller(context.peer())),
      start_(std::chrono::steady_clock::now()),
      subject_(subject) {
  if (from_ == From::kUser) within_limit_ = ++door_.open_calls_ <= door_.limit_;
}

Call::~Call() {
  if (from_ == From::kUser) --door_.open_calls_;
}

absl::Status Call::Admit() const {
  if (from_ == From::kWorker) return door_.credential_.Check(Authorization(context_));
  if (within_limit_) return absl::OkStatus();
  return MakeError({.reason = v1::TOO_MANY_STREAMS,
                    .remedy = "close some, or try again in a while",
                    .metadata = {{"limit", fmt::format("{}", door_.limit_)}}},
                   fmt::format("{} calls are open already, which is the limit of this server", door_.limit_));
}

// What breaks here is an error, what a user did wrong is news, and what is part of every day is for those who look.
spdlog::level::level_enum Call::LevelOf(const absl::Status& status) const {
  if (status.ok() || (absl::IsCancelled(status) && gone())) return spdlog::level::debug;
  if (absl::IsUnavailable(status)) return spdlog::level::debug;
  return absl::IsInternal(status) ? spdlog::level::err : spdlog::level::info;
}

grpc::Status Call::End(const absl::Status& status) const {
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start_);
  const double ms = static_cast<double>(took.count()) / 1000;
  const std::string subject = subject_.empty() ? "" : fmt::format(" {}", Printable(subject_));
  const auto level = LevelOf(status);
  if (!spdlog::should_log(level)) return ToGrpc(status);
  const std::string outcome =
      status.ok() ? "ok"
                  : fmt::format("{}: {}", absl::StatusCodeToString(status.code()), std::string(status.message()));
  spdlog::log(level, "{}{} by {}: {}, {:.1f} ms", rpc_, subject, caller_.owner, Printable(outcome), ms);
  return ToGrpc(status);
}

}  // namespace deconvoy::server
