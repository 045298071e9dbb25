// The Admin service: see admin.proto.
#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "deconvoy/v1/admin.grpc.pb.h"
#include "server/api/call.h"
#include "server/jobs/job_manager.h"
#include "server/jobs/usage_meter.h"
#include "server/observe/environment.h"
#include "server/schedule/dispatcher.h"
#include "server/spool/volume_store.h"
#include "server/store/store.h"

namespace deconvoy::server {

// The arguments must outlive the service.
class AdminService final : public v1::Admin::Service {
 public:
  AdminService(Door& door, JobManager& jobs, Dispatcher& dispatcher, VolumeStore& volumes, Store& store,
               UsageMeter& usage, Clock& clock)
      : door_(door),
        jobs_(jobs),
        dispatcher_(dispatcher),
        volumes_(volumes),
        store_(store),
        usage_(usage),
        start_time_(clock.Wall()) {}

  grpc::Status GetServerInfo(grpc::ServerContext* context, const v1::GetServerInfoRequest* request,
                             v1::ServerInfo* response) override;
  grpc::Status ListWorkers(grpc::ServerContext* context, const v1::ListWorkersRequest* request,
                           v1::ListWorkersResponse* response) override;
  grpc::Status DrainWorker(grpc::ServerContext* context, const v1::DrainWorkerRequest* request,
                           v1::Worker* response) override;
  grpc::Status PauseServer(grpc::ServerContext* context, const v1::PauseServerRequest* request,
                           v1::ServerInfo* response) override;
  grpc::Status ExportUsage(grpc::ServerContext* context, const v1::ExportUsageRequest* request,
                           v1::ExportUsageResponse* response) override;

 private:
  absl::StatusOr<v1::ServerInfo> Describe();
  absl::StatusOr<v1::ExportUsageResponse> Usage(const v1::ExportUsageRequest& request);

  Door& door_;
  JobManager& jobs_;
  Dispatcher& dispatcher_;
  VolumeStore& volumes_;
  Store& store_;
  UsageMeter& usage_;
  const absl::Time start_time_;
};

}  // namespace deconvoy::server
