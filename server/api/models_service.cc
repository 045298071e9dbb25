#include "server/api/models_service.h"

#include "proto/contract/status_macros.h"
#include "server/api/paging.h"

namespace deconvoy::server {

grpc::Status ModelsService::StreamedCreate(grpc::ServerContext* context,
                                           Unary<v1::CreateModelRequest, v1::Model>* stream) {
  Call call(door_, Call::kUser, "Models.Create", *context);
  return call.Answer(stream, [&](const v1::CreateModelRequest& request) -> absl::StatusOr<v1::Model> {
    call.About(request.model_id());
    RETURN_IF_ERROR(door_.CheckOpen());
    return models_.Create(call.owner(), request);
  });
}

grpc::Status ModelsService::StreamedGet(grpc::ServerContext* context, Unary<v1::GetModelRequest, v1::Model>* stream) {
  Call call(door_, Call::kUser, "Models.Get", *context);
  return call.Answer(stream, [&](const v1::GetModelRequest& request) {
    call.About(request.model());
    return models_.Get(call.owner(), request.model());
  });
}

grpc::Status ModelsService::StreamedList(grpc::ServerContext* context,
                                         Unary<v1::ListModelsRequest, v1::ListModelsResponse>* stream) {
  Call call(door_, Call::kUser, "Models.List", *context);
  return call.Answer(stream, [&](const v1::ListModelsRequest& request) {
    call.About(request.model());
    v1::ListModelsRequest bounded = request;
    bounded.set_page_size(PageSize(request.page_size()));
    return models_.List(call.owner(), bounded);
  });
}

grpc::Status ModelsService::StreamedDelete(grpc::ServerContext* context,
                                           Unary<v1::DeleteModelRequest, v1::DeleteModelResponse>* stream) {
  Call call(door_, Call::kUser, "Models.Delete", *context);
  return call.Answer(stream, [&](const v1::DeleteModelRequest& request) -> absl::StatusOr<v1::DeleteModelResponse> {
    call.About(request.model());
    RETURN_IF_ERROR(models_.Delete(call.owner(), request.model()));
    return v1::DeleteModelResponse();
  });
}

}  // namespace deconvoy::server
