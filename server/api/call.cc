#include "server/api/call.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/auth/permissions.h"
#include "server/observe/audit.h"

namespace deconvoy::server {
namespace {

// Headers may take 8 KiB; details are sent as base64.
constexpr size_t kMessageLimit = 2000;
constexpr size_t kDetailsLimit = 3000;
constexpr size_t kSubjectLimit = 500;  // in logs

std::string Shortened(std::string_view text, size_t limit) {
  return text.size() <= limit ? std::string(text) : std::string(text.substr(0, limit)) + " ...";
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

std::string_view Authorization(const grpc::ServerContextBase& context) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find("authorization");
  if (found == metadata.end()) return {};
  return {found->second.data(), found->second.size()};
}

// gRPC measures frame by frame, and holds only those to its limit who say that they have heard of it.
absl::Status CheckMetadata(const grpc::ServerContextBase& context) {
  int64_t bytes = 0;
  for (const auto& [name, value] : context.client_metadata()) {
    bytes += static_cast<int64_t>(name.size() + value.size() + 32);
  }
  if (bytes <= kMetadataBytes) return absl::OkStatus();
  return MakeError({.reason = v1::LIMIT_EXCEEDED,
                    .remedy = "send less metadata with the call",
                    .metadata = {{"limit", fmt::to_string(kMetadataBytes)}}},
                   fmt::format("the call has {} bytes of metadata, more than {}", bytes, kMetadataBytes));
}

absl::Status TooManyRefused(int64_t limit, std::chrono::milliseconds later) {
  return MakeError({.reason = v1::TOO_MANY_CALLS,
                    .remedy = "Try again after `retry_after_ms`, with a good token.",
                    .metadata = {{"limit", fmt::to_string(limit)}, {"retry_after_ms", fmt::to_string(later.count())}}},
                   fmt::format("more than {} calls in a second were refused to your address, and so was this", limit));
}

// The line on refused calls that had none and were not followed by one that has.
void AuditLeftOut(const std::vector<Refusals::LeftOut>& left_out) {
  for (const auto& [address, calls] : left_out) {
    Audit({.who = "",
           .from = address,
           .what = "",
           .subject = "",
           .outcome = fmt::format("{} more calls refused", calls)});
  }
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const std::string message(status.message());
  return {static_cast<grpc::StatusCode>(status.code()), Shortened(Printable(message), kMessageLimit),
          FittingDetails(status)};
}

Door::~Door() {
  AuditLeftOut(refusals_.ForgetAll());
}

absl::Status UnreadMessage() {
  return MakeError({.reason = v1::INVALID_FIELD, .remedy = "use a client of the server's version"},
                   "a message of the call cannot be read");
}

absl::Status Door::CheckOpen() const {
  if (!closing_) return absl::OkStatus();
  return MakeError({.reason = v1::SHUTTING_DOWN, .remedy = "try again in a while"},
                   "the server is stopping and takes nothing new");
}

Call::Call(Door& door, From from, const char* rpc, const grpc::ServerContextBase& context, std::function<void()> cancel)
    : door_(door),
      from_(from),
      rpc_(rpc),
      context_(context),
      cancel_(std::move(cancel)),
      start_(std::chrono::steady_clock::now()) {}

Call::~Call() {
  if (counted_) door_.limits_.Leave(caller_.owner, caller_.role);
}

void Call::About(std::string_view subject) {
  subject_ = Shortened(subject, kSubjectLimit);
}

absl::Status Call::NoMessage(Heard heard, bool idle) const {
  if (heard == Heard::kUnread) return UnreadMessage();
  if (idle) return absl::DeadlineExceededError("the call's message did not come");
  if (gone()) return absl::CancelledError("the caller left before its message had come");
  return MakeError({.reason = v1::INVALID_FIELD, .remedy = "send one message"}, "the call came without its message");
}

// A worker of this machine shows the credential, one from elsewhere a token.
absl::StatusOr<Caller> Call::Identify() const {
  const std::string_view authorization = Authorization(context_);
  if (from_ == From::kUser) return door_.accounts_.Identify(authorization);
  const absl::Status credential = door_.credential_.Check(authorization);
  if (credential.ok()) return Caller{kLocalWorkers, v1::WORKER};
  if (!door_.accounts_.tokens_required()) return credential;
  absl::StatusOr<Caller> caller = door_.accounts_.Identify(authorization);
  const v1::ErrorReason reason = ReasonOf(caller.status());
  if (reason == v1::NO_TOKEN || reason == v1::BAD_TOKEN) return credential;
  return caller;
}

absl::Status Call::Admit() {
  RETURN_IF_ERROR(CheckMetadata(context_));
  ASSIGN_OR_RETURN(caller_, Identify());
  RETURN_IF_ERROR(CheckRole(caller_, rpc_));
  admitted_ = true;
  if (from_ == From::kWorker) return absl::OkStatus();
  counted_ = true;
  return door_.limits_.Enter(caller_.owner, caller_.role);
}

std::optional<grpc::Status> Call::Refusal() {
  const absl::Status admitted = Admit();
  if (admitted.ok()) return std::nullopt;
  return Refuse(admitted);
}

// Who has a good token is never taken for one of the strangers that share their address: the bound is on what is
// refused anyway.
grpc::Status Call::Refuse(const absl::Status& status) const {
  Refusals& refusals = door_.refusals_;
  const Refusals::Outcome outcome = refusals.Count(AddressOf(context_.peer()));
  AuditLeftOut(refusals.ForgetQuiet());
  if (outcome.told) return End(status, outcome.left_out);
  if (!outcome.later || counted_) return ToGrpc(status);
  return ToGrpc(TooManyRefused(refusals.per_second(), *outcome.later));
}

// What breaks here is an error, what a user did wrong is news, and what is part of every day is for those who look.
spdlog::level::level_enum Call::LevelOf(const absl::Status& status) const {
  if (status.ok() || (absl::IsCancelled(status) && gone())) return spdlog::level::debug;
  if (absl::IsUnavailable(status)) return spdlog::level::debug;
  return absl::IsInternal(status) ? spdlog::level::err : spdlog::level::info;
}

// What changes who may do what, what removes something, and who was turned away.
void Call::AuditEnd(const std::string& outcome) const {
  const Permission* row = FindPermission(rpc_);
  if (admitted_ && (row == nullptr || !row->audited)) return;
  Audit({.who = caller_.owner, .from = context_.peer(), .what = rpc_, .subject = subject_, .outcome = outcome});
}

grpc::Status Call::End(const absl::Status& status, int64_t left_out) const {
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start_);
  const double ms = static_cast<double>(took.count()) / 1000;
  const std::string subject = subject_.empty() ? "" : fmt::format(" {}", Printable(subject_));
  std::string outcome = status.ok() ? "ok"
                                    : fmt::format("{}: {}", absl::StatusCodeToString(status.code()),
                                                  Shortened(std::string(status.message()), kMessageLimit));
  if (left_out > 0) outcome += fmt::format(" ({} more calls from there were refused before)", left_out);
  AuditEnd(outcome);
  const std::string by = caller_.owner.empty() ? "nobody known" : caller_.owner;
  spdlog::log(LevelOf(status), "{}{} by {}: {}, {:.1f} ms", rpc_, subject, by, Printable(outcome), ms);
  return ToGrpc(status);
}

}  // namespace deconvoy::server
