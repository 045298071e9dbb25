// The Methods service: see methods.proto.
#pragma once

#include "deconvoy/v1/methods.grpc.pb.h"
#include "server/api/call.h"
#include "server/jobs/capabilities.h"

namespace deconvoy::server {

// The arguments must outlive the service.
class MethodsService final : public v1::Methods::Service {
 public:
  MethodsService(Door& door, const Capabilities& capabilities) : door_(door), capabilities_(capabilities) {}

  grpc::Status List(grpc::ServerContext* context, const v1::ListMethodsRequest* request,
                    v1::ListMethodsResponse* response) override;
  grpc::Status Get(grpc::ServerContext* context, const v1::GetMethodRequest* request, v1::Method* response) override;

 private:
  Door& door_;
  const Capabilities& capabilities_;
};

}  // namespace deconvoy::server
