#include "worker/session/delivery.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto/contract/checksum.h"
#include "proto/contract/limits.h"
#include "worker/session/retry.h"

namespace deconvoy::worker {
namespace {

// Minutes for the server's sync and commit, and as long as the bytes need at 1 MiB/s.
std::chrono::milliseconds DeliveryTimeout(size_t bytes) {
  return std::chrono::milliseconds(180'000 + static_cast<int64_t>(bytes / 1024));
}

using Writer = grpc::ClientWriter<v1::DeliverOutputRequest>;

// False when the server has ended the call.
bool SendHeader(Writer& writer, const std::string& worker, const v1::Task& task, bool in_scratch_file) {
  v1::DeliverOutputRequest request;
  v1::DeliveryHeader& header = *request.mutable_header();
  header.set_worker(worker);
  header.set_task(task.name());
  header.set_token(task.token());
  header.set_in_scratch_file(in_scratch_file);
  return writer.Write(request);
}

bool SendOutputs(Writer& writer, std::span<const std::byte> outputs) {
  for (size_t position = 0; position < outputs.size(); position += limits::kChunkBytes) {
    const auto part = outputs.subspan(position, std::min(limits::kChunkBytes, outputs.size() - position));
    v1::DeliverOutputRequest request;
    v1::OutputChunk& chunk = *request.mutable_chunk();
    chunk.set_position(position);
    chunk.set_data(part.data(), part.size());
    chunk.set_crc32c(Crc32c(part));
    if (!writer.Write(request)) return false;
  }
  return true;
}

bool SendResult(Writer& writer, const v1::TaskResult& result) {
  v1::DeliverOutputRequest request;
  *request.mutable_result() = result;
  return writer.Write(request);
}

absl::Status DeliverOnce(ServerLink& link, const std::string& worker, HeldTask& held, const Delivery& delivery) {
  const auto context = link.NewContext(DeliveryTimeout(delivery.outputs.size()));
  const StopSignal::Guard guard(held.stop(), *context);
  v1::DeliverOutputResponse response;
  const auto writer = link.stub().DeliverOutput(context.get(), &response);
  const bool sent = SendHeader(*writer, worker, held.task(), delivery.in_scratch_file) &&
                    SendOutputs(*writer, delivery.outputs) && SendResult(*writer, *delivery.result);
  if (sent) writer->WritesDone();
  return FromGrpc(writer->Finish());
}

}  // namespace

absl::Status Deliver(ServerLink& link, const std::string& worker, HeldTask& held, const Delivery& delivery) {
  return Retry(held.stop(), fmt::format("{}: delivering", held.task().name()),
               [&] { return DeliverOnce(link, worker, held, delivery); });
}

}  // namespace deconvoy::worker
