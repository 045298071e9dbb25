#include "server/api/admin_service.h"

#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"
#include "server/api/paging.h"

namespace deconvoy::server {
namespace {

constexpr auto kUser = Call::From::kUser;

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  google::protobuf::Timestamp result;
  const int64_t seconds = absl::ToUnixSeconds(time);
  result.set_seconds(seconds);
  result.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return result;
}

}  // namespace

grpc::Status AdminService::GetServerInfo(grpc::ServerContext* context, const v1::GetServerInfoRequest* /*request*/,
                                         v1::ServerInfo* response) {
  Call call(door_, kUser, "Admin.GetServerInfo", *context);
  return call.Run([&]() -> absl::Status {
    ASSIGN_OR_RETURN(const int64_t free_bytes, volumes_.FreeBytes());
    const JobManager::Counts tasks = jobs_.CountTasks();
    response->set_contract_version(limits::kContractVersion);
    response->set_version(DECONVOY_VERSION);
    response->set_spool_free_bytes(static_cast<uint64_t>(free_bytes));
    response->set_spool_used_bytes(static_cast<uint64_t>(volumes_.UsedBytes()));
    response->set_tasks_ready(static_cast<uint32_t>(tasks.ready));
    response->set_tasks_leased(static_cast<uint32_t>(tasks.leased));
    *response->mutable_start_time() = ToTimestamp(start_time_);
    return absl::OkStatus();
  });
}

grpc::Status AdminService::ListWorkers(grpc::ServerContext* context, const v1::ListWorkersRequest* request,
                                       v1::ListWorkersResponse* response) {
  Call call(door_, kUser, "Admin.ListWorkers", *context);
  return call.Run([&] {
    const auto page = PageOf(dispatcher_.Workers(), request->page_size(), request->page_token());
    response->mutable_workers()->Assign(page.items.begin(), page.items.end());
    response->set_next_page_token(page.next_token);
    return absl::OkStatus();
  });
}

grpc::Status AdminService::DrainWorker(grpc::ServerContext* context, const v1::DrainWorkerRequest* request,
                                       v1::Worker* response) {
  Call call(door_, kUser, "Admin.DrainWorker", *context, request->worker());
  return call.Answer(response, [&] { return dispatcher_.DrainWorker(request->worker(), request->drain()); });
}

}  // namespace deconvoy::server
