// The Deconvolution service: see deconvolution.proto.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "deconvoy/v1/deconvolution.grpc.pb.h"
#include "server/api/call.h"
#include "server/api/deconvolve_call.h"
#include "server/api/deconvolve_stream.h"
#include "server/schedule/server_core.h"

namespace deconvoy::server {

// The arguments must outlive the service. Destroyed after the gRPC server, which ends its calls.
class DeconvolutionService final : public v1::Deconvolution::CallbackService {
 public:
  DeconvolutionService(Door& door, ServerCore& core) : door_(door), core_(core) {}
  ~DeconvolutionService() override;

  grpc::ServerBidiReactor<v1::DeconvolveRequest, v1::DeconvolveResponse>* Deconvolve(
      grpc::CallbackServerContext* context) override;

 private:
  // A call, and the thread that serves it.
  struct Served {
    std::unique_ptr<Call> call;  // let in
    DeconvolveStream stream;
    std::atomic<bool> over = false;  // the last thing that its thread does
    std::thread thread;
  };

  void Serve(grpc::CallbackServerContext& context, Served& served);
  absl::Status ServeCall(grpc::CallbackServerContext& context, Call& call, DeconvolveStream& stream,
                         std::unique_ptr<DeconvolveCall>& deconvolve);

  Door& door_;
  ServerCore& core_;
  OpenSessions sessions_;
  std::mutex mutex_;
  std::list<std::unique_ptr<Served>> calls_;  // guarded by mutex_: also those that are over, until the next call
};

}  // namespace deconvoy::server
