#include "server/api/psfs_service.h"

#include "proto/contract/status_macros.h"
#include "server/api/paging.h"

namespace deconvoy::server {

constexpr auto kUser = Call::From::kUser;

grpc::Status PsfsService::Create(grpc::ServerContext* context, const v1::CreatePsfRequest* request, v1::Psf* response) {
  Call call(door_, kUser, "Psfs.Create", *context, request->psf_id());
  return call.Answer(response, [&]() -> absl::StatusOr<v1::Psf> {
    RETURN_IF_ERROR(door_.CheckOpen());
    return psfs_.Create(call.owner(), *request);
  });
}

grpc::Status PsfsService::Get(grpc::ServerContext* context, const v1::GetPsfRequest* request, v1::Psf* response) {
  Call call(door_, kUser, "Psfs.Get", *context, request->psf());
  return call.Answer(response, [&] { return psfs_.Get(call.owner(), request->psf()); });
}

grpc::Status PsfsService::List(grpc::ServerContext* context, const v1::ListPsfsRequest* request,
                               v1::ListPsfsResponse* response) {
  Call call(door_, kUser, "Psfs.List", *context, request->psf());
  return call.Answer(response, [&] {
    v1::ListPsfsRequest bounded = *request;
    bounded.set_page_size(PageSize(request->page_size()));
    return psfs_.List(call.owner(), bounded);
  });
}

grpc::Status PsfsService::Delete(grpc::ServerContext* context, const v1::DeletePsfRequest* request,
                                 v1::DeletePsfResponse* /*response*/) {
  Call call(door_, kUser, "Psfs.Delete", *context, request->psf());
  return call.Run([&] { return psfs_.Delete(call.owner(), request->psf()); });
}

}  // namespace deconvoy::server
