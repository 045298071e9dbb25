// The Psfs service: see psfs.proto.
#pragma once

#include "deconvoy/v1/psfs.grpc.pb.h"
#include "server/api/call.h"
#include "server/jobs/psf_library.h"

namespace deconvoy::server {

// The arguments must outlive the service.
class PsfsService final : public v1::Psfs::StreamedService {
 public:
  PsfsService(Door& door, PsfLibrary& psfs) : door_(door), psfs_(psfs) {}

  grpc::Status StreamedCreate(grpc::ServerContext* context, Unary<v1::CreatePsfRequest, v1::Psf>* stream) override;
  grpc::Status StreamedGet(grpc::ServerContext* context, Unary<v1::GetPsfRequest, v1::Psf>* stream) override;
  grpc::Status StreamedList(grpc::ServerContext* context,
                            Unary<v1::ListPsfsRequest, v1::ListPsfsResponse>* stream) override;
  grpc::Status StreamedDelete(grpc::ServerContext* context,
                              Unary<v1::DeletePsfRequest, v1::DeletePsfResponse>* stream) override;

 private:
  Door& door_;
  PsfLibrary& psfs_;
};

}  // namespace deconvoy::server
