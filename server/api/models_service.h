// The Models service: see models.proto.
#pragma once

#include "deconvoy/v1/models.grpc.pb.h"
#include "server/api/call.h"
#include "server/jobs/model_library.h"

namespace deconvoy::server {

// The arguments must outlive the service.
class ModelsService final : public v1::Models::Service {
 public:
  ModelsService(Door& door, ModelLibrary& models) : door_(door), models_(models) {}

  grpc::Status Create(grpc::ServerContext* context, const v1::CreateModelRequest* request,
                      v1::Model* response) override;
  grpc::Status Get(grpc::ServerContext* context, const v1::GetModelRequest* request, v1::Model* response) override;
  grpc::Status List(grpc::ServerContext* context, const v1::ListModelsRequest* request,
                    v1::ListModelsResponse* response) override;
  grpc::Status Delete(grpc::ServerContext* context, const v1::DeleteModelRequest* request,
                      v1::DeleteModelResponse* response) override;

 private:
  Door& door_;
  ModelLibrary& models_;
};

}  // namespace deconvoy::server
