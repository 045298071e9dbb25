// The Workers service: see workers.proto. Every call needs the worker credential.
#pragma once

#include <absl/status/status.h>

#include "deconvoy/v1/workers.grpc.pb.h"
#include "server/api/call.h"
#include "server/schedule/dispatcher.h"
#include "server/spool/volume_store.h"

namespace deconvoy::server {

// The arguments must outlive the service.
class WorkersService final : public v1::Workers::StreamedService {
 public:
  WorkersService(Door& door, Dispatcher& dispatcher, VolumeStore& volumes)
      : door_(door), dispatcher_(dispatcher), volumes_(volumes) {}

  grpc::Status StreamedSynchronize(grpc::ServerContext* context,
                                   Unary<v1::SynchronizeRequest, v1::SynchronizeResponse>* stream) override;
  grpc::Status StreamedFetchInput(grpc::ServerContext* context,
                                  Split<v1::FetchInputRequest, v1::FetchInputResponse>* stream) override;
  grpc::Status DeliverOutput(grpc::ServerContext* context, grpc::ServerReader<v1::DeliverOutputRequest>* reader,
                             v1::DeliverOutputResponse* response) override;

 private:
  absl::Status TakeOutput(Call& call, grpc::ServerReader<v1::DeliverOutputRequest>& reader);

  Door& door_;
  Dispatcher& dispatcher_;
  VolumeStore& volumes_;
};

}  // namespace deconvoy::server
