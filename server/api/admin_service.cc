#include "server/api/admin_service.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/timestamp.h"
#include "proto/contract/user_name.h"
#include "server/api/paging.h"

namespace deconvoy::server {
namespace {

// `2026-11`, or empty.
absl::Status CheckMonth(const std::string& month, const std::string& field) {
  const auto digit = [&](size_t i) { return month[i] >= '0' && month[i] <= '9'; };
  const auto is_month = [&] {
    for (const size_t i : {0, 1, 2, 3, 5, 6}) {
      if (!digit(i)) return false;
    }
    const int number = 10 * (month[5] - '0') + (month[6] - '0');
    return month[4] == '-' && number >= 1 && number <= 12;
  };
  if (month.empty() || (month.size() == 7 && is_month())) return absl::OkStatus();
  return MakeError({.reason = v1::INVALID_FIELD, .field = field, .remedy = "Give year and month, such as 2026-11."},
                   fmt::format("{} is \"{}\", which is not a month", field, Printable(month)));
}

}  // namespace

grpc::Status AdminService::StreamedGetServerInfo(grpc::ServerContext* context,
                                                 Unary<v1::GetServerInfoRequest, v1::ServerInfo>* stream) {
  Call call(door_, Call::kUser, "Admin.GetServerInfo", *context);
  return call.Answer(stream,
                     [&](const v1::GetServerInfoRequest& /*request*/) { return DescribeServer(call.caller()); });
}

absl::StatusOr<v1::ServerInfo> AdminService::DescribeServer(const Caller& caller) {
  ASSIGN_OR_RETURN(const int64_t free_bytes, volumes_.FreeBytes());
  const JobManager::Counts tasks = jobs_.CountTasks();
  v1::ServerInfo info;
  info.set_contract_version(limits::kContractVersion);
  info.set_version(DECONVOY_VERSION);
  info.set_spool_free_bytes(static_cast<uint64_t>(free_bytes));
  info.set_spool_used_bytes(static_cast<uint64_t>(volumes_.UsedBytes()));
  info.set_tasks_ready(static_cast<uint32_t>(tasks.ready));
  info.set_tasks_leased(static_cast<uint32_t>(tasks.leased));
  info.set_paused(dispatcher_.paused());
  *info.mutable_start_time() = ToTimestamp(start_time_);
  info.set_user(UserName(caller.owner));
  info.set_role(caller.role);
  for (v1::FileRoot& root : jobs_.FileRootsOf(caller.owner)) *info.add_file_roots() = std::move(root);
  return info;
}

grpc::Status AdminService::StreamedListWorkers(grpc::ServerContext* context,
                                               Unary<v1::ListWorkersRequest, v1::ListWorkersResponse>* stream) {
  Call call(door_, Call::kUser, "Admin.ListWorkers", *context);
  return call.Answer(stream, [&](const v1::ListWorkersRequest& request) -> absl::StatusOr<v1::ListWorkersResponse> {
    v1::ListWorkersResponse response;
    const std::string tasks_of = call.caller().role == v1::ADMIN ? "" : call.owner();
    const auto page = PageOf(dispatcher_.Workers(tasks_of), request.page_size(), request.page_token());
    response.mutable_workers()->Assign(page.items.begin(), page.items.end());
    response.set_next_page_token(page.next_token);
    return response;
  });
}

grpc::Status AdminService::StreamedDrainWorker(grpc::ServerContext* context,
                                               Unary<v1::DrainWorkerRequest, v1::Worker>* stream) {
  Call call(door_, Call::kUser, "Admin.DrainWorker", *context);
  return call.Answer(stream, [&](const v1::DrainWorkerRequest& request) {
    call.About(request.worker());
    return dispatcher_.DrainWorker(request.worker(), request.drain());
  });
}

grpc::Status AdminService::StreamedPauseServer(grpc::ServerContext* context,
                                               Unary<v1::PauseServerRequest, v1::ServerInfo>* stream) {
  Call call(door_, Call::kUser, "Admin.PauseServer", *context);
  return call.Answer(stream, [&](const v1::PauseServerRequest& request) -> absl::StatusOr<v1::ServerInfo> {
    call.About(request.pause() ? "pause" : "go on");
    RETURN_IF_ERROR(dispatcher_.Pause(request.pause()));
    return DescribeServer(call.caller());
  });
}

grpc::Status AdminService::StreamedExportUsage(grpc::ServerContext* context,
                                               Unary<v1::ExportUsageRequest, v1::ExportUsageResponse>* stream) {
  Call call(door_, Call::kUser, "Admin.ExportUsage", *context);
  return call.Answer(stream, [&](const v1::ExportUsageRequest& request) { return Usage(request); });
}

absl::StatusOr<v1::ExportUsageResponse> AdminService::Usage(const v1::ExportUsageRequest& request) {
  RETURN_IF_ERROR(CheckMonth(request.first_month(), "first_month"));
  RETURN_IF_ERROR(CheckMonth(request.last_month(), "last_month"));
  RETURN_IF_ERROR(usage_.Flush());
  ASSIGN_OR_RETURN(const std::vector<UsageRecord> records,
                   store_.ListUsage(request.first_month(), request.last_month()));
  v1::ExportUsageResponse response;
  for (const UsageRecord& record : records) {
    v1::Usage& usage = *response.add_usage();
    usage.set_user("users/" + record.owner);
    usage.set_group(dispatcher_.ShareOfOwner(record.owner).group);
    usage.set_month(record.month);
    usage.set_worker_seconds(1e-3 * static_cast<double>(record.worker_ms));
    usage.set_tasks(static_cast<uint64_t>(record.tasks));
    usage.set_bytes_in(static_cast<uint64_t>(record.bytes_in));
    usage.set_bytes_out(static_cast<uint64_t>(record.bytes_out));
  }
  if (response.ByteSizeLong() <= limits::kMessageBytes) return response;
  return MakeError({.reason = v1::LIMIT_EXCEEDED,
                    .field = "last_month",
                    .remedy = "Ask for fewer months at a time.",
                    .metadata = {{"limit", fmt::to_string(limits::kMessageBytes)}}},
                   fmt::format("{} users and months are more than one answer holds", records.size()));
}

}  // namespace deconvoy::server
