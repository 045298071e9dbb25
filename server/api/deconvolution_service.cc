#include "server/api/deconvolution_service.h"

#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

// Ends a call that is not let in.
class Refused final : public grpc::ServerBidiReactor<v1::DeconvolveRequest, v1::DeconvolveResponse> {
 public:
  explicit Refused(const grpc::Status& status) { Finish(status); }

 private:
  void OnDone() override { delete this; }
};

}  // namespace

DeconvolutionService::~DeconvolutionService() {
  for (const std::unique_ptr<Served>& served : calls_) served->thread.join();
}

grpc::ServerBidiReactor<v1::DeconvolveRequest, v1::DeconvolveResponse>* DeconvolutionService::Deconvolve(
    grpc::CallbackServerContext* context) {
  auto call = std::make_unique<Call>(door_, Call::kUser, "Deconvolution.Deconvolve", *context);
  // Nobody who is not let in gets a thread.
  if (const std::optional<grpc::Status> refusal = call->Refusal()) return new Refused(*refusal);
  auto made = std::make_unique<Served>();
  made->call = std::move(call);
  Served* served = made.get();
  std::list<std::unique_ptr<Served>> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto earlier = calls_.begin(); earlier != calls_.end();) {
      const auto next = std::next(earlier);
      if ((*earlier)->over) ended.splice(ended.end(), calls_, earlier);
      earlier = next;
    }
    calls_.push_back(std::move(made));
    served->thread = std::thread([this, context, served] {
      Serve(*context, *served);
      served->over = true;
    });
  }
  for (const std::unique_ptr<Served>& earlier : ended) earlier->thread.join();
  return &served->stream;
}

void DeconvolutionService::Serve(grpc::CallbackServerContext& context, Served& served) {
  std::unique_ptr<DeconvolveCall> deconvolve;
  const grpc::Status status =
      served.call->Serve([&] { return ServeCall(context, *served.call, served.stream, deconvolve); });
  served.call.reset();  // its caller may have another one as soon as this one has ended
  served.stream.Close(status);
  if (deconvolve != nullptr) deconvolve->Join();
  served.stream.WaitDone();
}

absl::Status DeconvolutionService::ServeCall(grpc::CallbackServerContext& context, Call& call, DeconvolveStream& stream,
                                             std::unique_ptr<DeconvolveCall>& deconvolve) {
  v1::DeconvolveRequest first;
  {
    // Only until then: microscopes may rest for hours between time points.
    const IdleStreams::Watched watched(door_.streams(), [&context] { context.TryCancel(); });
    const Heard heard = Hear(stream, first);
    if (heard != Heard::kMessage) return heard == Heard::kEnd ? absl::OkStatus() : UnreadMessage();
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
  deconvolve = std::make_unique<DeconvolveCall>(stream, core_, call.owner(), header, std::move(session));
  if (stream.cancelled()) return absl::CancelledError("the caller has left");
  const OpenSessions::Key key(call.owner(), header.session());
  const auto end = [&context, &open = *deconvolve] { open.TakeOver([&context] { context.TryCancel(); }); };
  if (!sessions_.Enter(key, arrival, &stream, end)) return TakenOver();
  absl::Status status = deconvolve->Serve();
  sessions_.Leave(key, &stream);
  return status;
}

}  // namespace deconvoy::server
