// The Psfs service: see psfs.proto.
#pragma once

#include "deconvoy/v1/psfs.grpc.pb.h"
#include "server/api/call.h"
#include "server/jobs/psf_library.h"

namespace deconvoy::server {

// The arguments must outlive the service.
class PsfsService final : public v1::Psfs::Service {
 public:
  PsfsService(Door& door, PsfLibrary& psfs) : door_(door), psfs_(psfs) {}

  grpc::Status Create(grpc::ServerContext* context, const v1::CreatePsfRequest* request, v1::Psf* response) override;
  grpc::Status Get(grpc::ServerContext* context, const v1::GetPsfRequest* request, v1::Psf* response) override;
  grpc::Status List(grpc::ServerContext* context, const v1::ListPsfsRequest* request,
                    v1::ListPsfsResponse* response) override;
  grpc::Status Delete(grpc::ServerContext* context, const v1::DeletePsfRequest* request,
                      v1::DeletePsfResponse* response) override;

 private:
  Door& door_;
  PsfLibrary& psfs_;
};

}  // namespace deconvoy::server
