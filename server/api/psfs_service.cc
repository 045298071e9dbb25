#include "server/api/psfs_service.h"

#include "proto/contract/status_macros.h"
#include "server/api/paging.h"

namespace deconvoy::server {

grpc::Status PsfsService::StreamedCreate(grpc::ServerContext* context, Unary<v1::CreatePsfRequest, v1::Psf>* stream) {
  Call call(door_, Call::kUser, "Psfs.Create", *context);
  return call.Answer(stream, [&](const v1::CreatePsfRequest& request) -> absl::StatusOr<v1::Psf> {
    call.About(request.psf_id());
    RETURN_IF_ERROR(door_.CheckOpen());
    return psfs_.Create(call.owner(), request);
  });
}

grpc::Status PsfsService::StreamedGet(grpc::ServerContext* context, Unary<v1::GetPsfRequest, v1::Psf>* stream) {
  Call call(door_, Call::kUser, "Psfs.Get", *context);
  return call.Answer(stream, [&](const v1::GetPsfRequest& request) {
    call.About(request.psf());
    return psfs_.Get(call.owner(), request.psf());
  });
}

grpc::Status PsfsService::StreamedList(grpc::ServerContext* context,
                                       Unary<v1::ListPsfsRequest, v1::ListPsfsResponse>* stream) {
  Call call(door_, Call::kUser, "Psfs.List", *context);
  return call.Answer(stream, [&](const v1::ListPsfsRequest& request) {
    call.About(request.psf());
    v1::ListPsfsRequest bounded = request;
    bounded.set_page_size(PageSize(request.page_size()));
    return psfs_.List(call.owner(), bounded);
  });
}

grpc::Status PsfsService::StreamedDelete(grpc::ServerContext* context,
                                         Unary<v1::DeletePsfRequest, v1::DeletePsfResponse>* stream) {
  Call call(door_, Call::kUser, "Psfs.Delete", *context);
  return call.Answer(stream, [&](const v1::DeletePsfRequest& request) -> absl::StatusOr<v1::DeletePsfResponse> {
    call.About(request.psf());
    RETURN_IF_ERROR(psfs_.Delete(call.owner(), request.psf()));
    return v1::DeletePsfResponse();
  });
}

}  // namespace deconvoy::server
