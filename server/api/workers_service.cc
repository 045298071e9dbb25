#include "server/api/workers_service.h"

#include <memory>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

absl::Status OutOfOrder(std::string_view message) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = "part"}, message);
}

}  // namespace

grpc::Status WorkersService::StreamedSynchronize(grpc::ServerContext* context,
                                                 Unary<v1::SynchronizeRequest, v1::SynchronizeResponse>* stream) {
  Call call(door_, Call::kWorker, "Workers.Synchronize", *context);
  return call.Answer(stream, [&](const v1::SynchronizeRequest& request) {
    call.About(request.worker());
    return dispatcher_.Synchronize(request, call.owner(), [&call] { return call.gone(); });
  });
}

grpc::Status WorkersService::StreamedFetchInput(grpc::ServerContext* context,
                                                Split<v1::FetchInputRequest, v1::FetchInputResponse>* stream) {
  Call call(door_, Call::kWorker, "Workers.FetchInput", *context);
  return call.Stream(stream, [&](const v1::FetchInputRequest& request) -> absl::Status {
    call.About(request.task());
    RETURN_IF_ERROR(dispatcher_.AuthoriseInput(request, call.owner()));
    ASSIGN_OR_RETURN(const std::string id, VolumeId(request.volume(), "volume"));
    v1::FetchInputResponse message;
    bool heard = true;
    RETURN_IF_ERROR(volumes_.Read(id, request.region(), [&](v1::Chunk& chunk) {
      *message.mutable_chunk() = std::move(chunk);
      return heard = stream->Write(message);
    }));
    return heard ? absl::OkStatus() : absl::CancelledError("the worker left");
  });
}

grpc::Status WorkersService::DeliverOutput(grpc::ServerContext* context,
                                           grpc::ServerReader<v1::DeliverOutputRequest>* reader,
                                           v1::DeliverOutputResponse* /*response*/) {
  Call call(door_, Call::kWorker, "Workers.DeliverOutput", *context);
  return call.Run([&] { return TakeOutput(call, *reader); });
}

absl::Status WorkersService::TakeOutput(Call& call, grpc::ServerReader<v1::DeliverOutputRequest>& reader) {
  v1::DeliverOutputRequest message;
  Heard heard = Hear(reader, message);
  if (heard == Heard::kUnread) return UnreadMessage();
  if (heard == Heard::kEnd || !message.has_header()) return OutOfOrder("a delivery begins with its header");
  call.About(message.header().task());
  ASSIGN_OR_RETURN(const std::unique_ptr<Delivery> delivery, dispatcher_.BeginDelivery(message.header(), call.owner()));
  while ((heard = Hear(reader, message)) == Heard::kMessage) {
    switch (message.part_case()) {
      case v1::DeliverOutputRequest::kChunk:
        RETURN_IF_ERROR(delivery->Write(message.chunk()));
        break;
      case v1::DeliverOutputRequest::kResult:
        return delivery->Commit(message.result());
      default:
        return OutOfOrder("after the header of a delivery come its bytes and then its result");
    }
  }
  return heard == Heard::kUnread ? UnreadMessage() : OutOfOrder("the delivery ended before its result");
}

}  // namespace deconvoy::server
