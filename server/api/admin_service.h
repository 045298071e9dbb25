// The Admin service: see admin.proto.
#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "deconvoy/v1/admin.grpc.pb.h"
#include "server/api/call.h"
#include "server/auth/accounts.h"
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
               UsageMeter& usage, Accounts& accounts, Clock& clock)
      : door_(door),
        jobs_(jobs),
        dispatcher_(dispatcher),
        volumes_(volumes),
        store_(store),
        usage_(usage),
        accounts_(accounts),
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

  // Users, their groups and their tokens: admin_users.cc.
  grpc::Status CreateUser(grpc::ServerContext* context, const v1::CreateUserRequest* request,
                          v1::User* response) override;
  grpc::Status UpdateUser(grpc::ServerContext* context, const v1::UpdateUserRequest* request,
                          v1::User* response) override;
  grpc::Status GetUser(grpc::ServerContext* context, const v1::GetUserRequest* request, v1::User* response) override;
  grpc::Status ListUsers(grpc::ServerContext* context, const v1::ListUsersRequest* request,
                         v1::ListUsersResponse* response) override;
  grpc::Status SetGroupWeight(grpc::ServerContext* context, const v1::SetGroupWeightRequest* request,
                              v1::Group* response) override;
  grpc::Status ListGroups(grpc::ServerContext* context, const v1::ListGroupsRequest* request,
                          v1::ListGroupsResponse* response) override;
  grpc::Status CreateToken(grpc::ServerContext* context, const v1::CreateTokenRequest* request,
                           v1::CreateTokenResponse* response) override;
  grpc::Status ListTokens(grpc::ServerContext* context, const v1::ListTokensRequest* request,
                          v1::ListTokensResponse* response) override;
  grpc::Status RevokeToken(grpc::ServerContext* context, const v1::RevokeTokenRequest* request,
                           v1::Token* response) override;

 private:
  // The server as this caller is to see it.
  absl::StatusOr<v1::ServerInfo> DescribeServer(const Caller& caller);
  absl::StatusOr<v1::ExportUsageResponse> Usage(const v1::ExportUsageRequest& request);
  // A user with what they have and use.
  absl::StatusOr<v1::User> Describe(const UserRecord& user);

  Door& door_;
  JobManager& jobs_;
  Dispatcher& dispatcher_;
  VolumeStore& volumes_;
  Store& store_;
  UsageMeter& usage_;
  Accounts& accounts_;
  const absl::Time start_time_;
};

}  // namespace deconvoy::server
