#include "server/api/deconvolution_service.h"

#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {

DeconvolutionService::~DeconvolutionService() {
  for (const std::unique_ptr<Served>& served : calls_) served->thread.join();
}

grpc::ServerBidiReactor<v1::DeconvolveRequest, v1::DeconvolveResponse>* DeconvolutionService::Deconvolve(
    grpc::CallbackServerContext* context) {
  auto made = std::make_unique<Served>();
  Served* served = made.get();
  std::list<std::unique_ptr<Served>> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto call = calls_.begin(); call != calls_.end();) {
      const auto next = std::next(call);
      if ((*call)->over) ended.splice(ended.end(), calls_, call);
      call = next;
    }
    calls_.push_back(std::move(made));
    served->thread = std::thread([this, context, served] {
      Serve(*context, served->stream);
      served->over = true;
    });
  }
  for (const std::unique_ptr<Served>& call : ended) call->thread.join();
  return &served->stream;
}

void DeconvolutionService::Serve(grpc::CallbackServerContext& context, DeconvolveStream& stream) {
  std::unique_ptr<DeconvolveCall> served;
  grpc::Status status;
  {
    Call call(door_, Call::From::kUser, "Deconvolution.Deconvolve", context);
    status = call.Run([&] { return ServeCall(context, call, stream, served); });
  }
  stream.Close(status);
  if (served != nullptr) served->Join();
  stream.WaitDone();
}

absl::Status DeconvolutionService::ServeCall(grpc::CallbackServerContext& context, Call& call, DeconvolveStream& stream,
                                             std::unique_ptr<DeconvolveCall>& served) {
  v1::DeconvolveRequest first;
  {
    // Only until then: microscopes may rest for hours between time points.
    const IdleStreams::Watched watched(door_.streams(), [&context] { context.TryCancel(); });
    if (!stream.Read(&first)) return absl::OkStatus();
  }
  if (!first.has_header()) {
    return MakeError({.reason = v1::INVALID_FIELD, .field = "header", .remedy = "Send the header first."},
                     "the first message is no header");
  }
  const v1::DeconvolveHeader& header = first.header();
  call.About(header.session());
  const uint64_t arrival = sessions_.Arrive();
  ASSIGN_OR_RETURN(LiveSession session,
                   OpenLiveSession(call.owner(), header, door_, core_.store(), core_.volumes(), core_.jobs()));
  served = std::make_unique<DeconvolveCall>(stream, core_, call.owner(), header, std::move(session));
  if (stream.cancelled()) return absl::CancelledError("the caller has left");
  const OpenSessions::Key key(call.owner(), header.session());
  const auto end = [&context, &open = *served] { open.TakeOver([&context] { context.TryCancel(); }); };
  if (!sessions_.Enter(key, arrival, &stream, end)) return TakenOver();
  absl::Status status = served->Serve();
  sessions_.Leave(key, &stream);
  return status;
}

}  // namespace deconvoy::server
