#include "server/api/models_service.h"

#include "proto/contract/status_macros.h"
#include "server/api/paging.h"

namespace deconvoy::server {

constexpr auto kUser = Call::From::kUser;

grpc::Status ModelsService::Create(grpc::ServerContext* context, const v1::CreateModelRequest* request,
                                   v1::Model* response) {
  Call call(door_, kUser, "Models.Create", *context, request->model_id());
  return call.Answer(response, [&]() -> absl::StatusOr<v1::Model> {
    RETURN_IF_ERROR(door_.CheckOpen());
    return models_.Create(call.owner(), *request);
  });
}

grpc::Status ModelsService::Get(grpc::ServerContext* context, const v1::GetModelRequest* request, v1::Model* response) {
  Call call(door_, kUser, "Models.Get", *context, request->model());
  return call.Answer(response, [&] { return models_.Get(call.owner(), request->model()); });
}

grpc::Status ModelsService::List(grpc::ServerContext* context, const v1::ListModelsRequest* request,
                                 v1::ListModelsResponse* response) {
  Call call(door_, kUser, "Models.List", *context, request->model());
  return call.Answer(response, [&] {
    v1::ListModelsRequest bounded = *request;
    bounded.set_page_size(PageSize(request->page_size()));
    return models_.List(call.owner(), bounded);
  });
}

grpc::Status ModelsService::Delete(grpc::ServerContext* context, const v1::DeleteModelRequest* request,
                                   v1::DeleteModelResponse* /*response*/) {
  Call call(door_, kUser, "Models.Delete", *context, request->model());
  return call.Run([&] { return models_.Delete(call.owner(), request->model()); });
}

}  // namespace deconvoy::server
