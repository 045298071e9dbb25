// The Models service: see models.proto.
#pragma once

#include "deconvoy/v1/models.grpc.pb.h"
#include "server/api/call.h"
#include "server/jobs/model_library.h"

namespace deconvoy::server {

// The arguments must outlive the service.
class ModelsService final : public v1::Models::StreamedService {
 public:
  ModelsService(Door& door, ModelLibrary& models) : door_(door), models_(models) {}

  grpc::Status StreamedCreate(grpc::ServerContext* context, Unary<v1::CreateModelRequest, v1::Model>* stream) override;
  grpc::Status StreamedGet(grpc::ServerContext* context, Unary<v1::GetModelRequest, v1::Model>* stream) override;
  grpc::Status StreamedList(grpc::ServerContext* context,
                            Unary<v1::ListModelsRequest, v1::ListModelsResponse>* stream) override;
  grpc::Status StreamedDelete(grpc::ServerContext* context,
                              Unary<v1::DeleteModelRequest, v1::DeleteModelResponse>* stream) override;

 private:
  Door& door_;
  ModelLibrary& models_;
};

}  // namespace deconvoy::server
