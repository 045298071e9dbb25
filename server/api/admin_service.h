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
class AdminService final : public v1::Admin::StreamedService {
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

  grpc::Status StreamedGetServerInfo(grpc::ServerContext* context,
                                     Unary<v1::GetServerInfoRequest, v1::ServerInfo>* stream) override;
  grpc::Status StreamedListWorkers(grpc::ServerContext* context,
                                   Unary<v1::ListWorkersRequest, v1::ListWorkersResponse>* stream) override;
  grpc::Status StreamedDrainWorker(grpc::ServerContext* context,
                                   Unary<v1::DrainWorkerRequest, v1::Worker>* stream) override;
  grpc::Status StreamedPauseServer(grpc::ServerContext* context,
                                   Unary<v1::PauseServerRequest, v1::ServerInfo>* stream) override;
  grpc::Status StreamedExportUsage(grpc::ServerContext* context,
                                   Unary<v1::ExportUsageRequest, v1::ExportUsageResponse>* stream) override;

  // Users, their groups and their tokens: admin_users.cc.
  grpc::Status StreamedCreateUser(grpc::ServerContext* context,
                                  Unary<v1::CreateUserRequest, v1::User>* stream) override;
  grpc::Status StreamedUpdateUser(grpc::ServerContext* context,
                                  Unary<v1::UpdateUserRequest, v1::User>* stream) override;
  grpc::Status StreamedGetUser(grpc::ServerContext* context, Unary<v1::GetUserRequest, v1::User>* stream) override;
  grpc::Status StreamedListUsers(grpc::ServerContext* context,
                                 Unary<v1::ListUsersRequest, v1::ListUsersResponse>* stream) override;
  grpc::Status StreamedSetGroupWeight(grpc::ServerContext* context,
                                      Unary<v1::SetGroupWeightRequest, v1::Group>* stream) override;
  grpc::Status StreamedListGroups(grpc::ServerContext* context,
                                  Unary<v1::ListGroupsRequest, v1::ListGroupsResponse>* stream) override;
  grpc::Status StreamedCreateToken(grpc::ServerContext* context,
                                   Unary<v1::CreateTokenRequest, v1::CreateTokenResponse>* stream) override;
  grpc::Status StreamedListTokens(grpc::ServerContext* context,
                                  Unary<v1::ListTokensRequest, v1::ListTokensResponse>* stream) override;
  grpc::Status StreamedRevokeToken(grpc::ServerContext* context,
                                   Unary<v1::RevokeTokenRequest, v1::Token>* stream) override;

 private:
  // The server as this caller is to see it.
  absl::StatusOr<v1::ServerInfo> DescribeServer(const Caller& caller);
  absl::StatusOr<v1::ExportUsageResponse> Usage(const v1::ExportUsageRequest& request);
  // Whether the server has the roots that a user gets. Those that they `held` before stay good without it: it may have
  // been started without one.
  absl::Status CheckNewRoots(std::vector<std::string> names, const std::vector<std::string>& held) const;
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
