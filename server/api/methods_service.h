// The Methods service: see methods.proto.
#pragma once

#include "deconvoy/v1/methods.grpc.pb.h"
#include "server/api/call.h"
#include "server/jobs/capabilities.h"

namespace deconvoy::server {

// The arguments must outlive the service.
class MethodsService final : public v1::Methods::StreamedService {
 public:
  MethodsService(Door& door, const Capabilities& capabilities) : door_(door), capabilities_(capabilities) {}

  grpc::Status StreamedList(grpc::ServerContext* context,
                            Unary<v1::ListMethodsRequest, v1::ListMethodsResponse>* stream) override;
  grpc::Status StreamedGet(grpc::ServerContext* context, Unary<v1::GetMethodRequest, v1::Method>* stream) override;

 private:
  Door& door_;
  const Capabilities& capabilities_;
};

}  // namespace deconvoy::server
