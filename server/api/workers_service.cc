#include "server/api/workers_service.h"

#include <memory>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

constexpr auto kWorker = Call::From::kWorker;

absl::Status OutOfOrder(std::string_view message) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = "part"}, message);
}

}  // namespace

grpc::Status WorkersService::Synchronize(grpc::ServerContext* context, const v1::SynchronizeRequest* request,
                                         v1::SynchronizeResponse* response) {
  Call call(door_, kWorker, "Workers.Synchronize", *context, request->worker());
  return call.Answer(response, [&] { return dispatcher_.Synchronize(*request, [&call] { return call.gone(); }); });
}

grpc::Status WorkersService::FetchInput(grpc::ServerContext* context, const v1::FetchInputRequest* request,
                                        grpc::ServerWriter<v1::FetchInputResponse>* writer) {
  Call call(door_, kWorker, "Workers.FetchInput", *context, request->task());
  return call.Run([&]() -> absl::Status {
    RETURN_IF_ERROR(dispatcher_.AuthoriseInput(*request));
    ASSIGN_OR_RETURN(const std::string id, VolumeId(request->volume(), "volume"));
    v1::FetchInputResponse message;
    bool heard = true;
    RETURN_IF_ERROR(volumes_.Read(id, request->region(), [&](v1::Chunk& chunk) {
      *message.mutable_chunk() = std::move(chunk);
      return heard = writer->Write(message);
    }));
    return heard ? absl::OkStatus() : absl::CancelledError("the worker left");
  });
}

grpc::Status WorkersService::DeliverOutput(grpc::ServerContext* context,
                                           grpc::ServerReader<v1::DeliverOutputRequest>* reader,
                                           v1::DeliverOutputResponse* /*response*/) {
  Call call(door_, kWorker, "Workers.DeliverOutput", *context);
  return call.Run([&] { return TakeOutput(call, *reader); });
}

absl::Status WorkersService::TakeOutput(Call& call, grpc::ServerReader<v1::DeliverOutputRequest>& reader) {
  v1::DeliverOutputRequest message;
  if (!reader.Read(&message) || !message.has_header()) return OutOfOrder("a delivery begins with its header");
  call.About(message.header().task());
  ASSIGN_OR_RETURN(const std::unique_ptr<Delivery> delivery, dispatcher_.BeginDelivery(message.header()));
  while (reader.Read(&message)) {
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
  return OutOfOrder("the delivery ended before its result");
}

}  // namespace deconvoy::server
