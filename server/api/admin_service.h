// The Admin service: see admin.proto.
#pragma once

#include <absl/time/time.h>

#include "deconvoy/v1/admin.grpc.pb.h"
#include "server/api/call.h"
#include "server/jobs/job_manager.h"
#include "server/observe/environment.h"
#include "server/schedule/dispatcher.h"
#include "server/spool/volume_store.h"

namespace deconvoy::server {

// The arguments must outlive the service.
class AdminService final : public v1::Admin::Service {
 public:
  AdminService(Door& door, JobManager& jobs, Dispatcher& dispatcher, VolumeStore& volumes, Clock& clock)
      : door_(door), jobs_(jobs), dispatcher_(dispatcher), volumes_(volumes), start_time_(clock.Wall()) {}

  grpc::Status GetServerInfo(grpc::ServerContext* context, const v1::GetServerInfoRequest* request,
                             v1::ServerInfo* response) override;
  grpc::Status ListWorkers(grpc::ServerContext* context, const v1::ListWorkersRequest* request,
                           v1::ListWorkersResponse* response) override;
  grpc::Status DrainWorker(grpc::ServerContext* context, const v1::DrainWorkerRequest* request,
                           v1::Worker* response) override;

 private:
  Door& door_;
  JobManager& jobs_;
  Dispatcher& dispatcher_;
  VolumeStore& volumes_;
  const absl::Time start_time_;
};

}  // namespace deconvoy::server
