// Calls of methods by name, of which no stub need be linked.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace deconvoy::server {

// Makes a call of any kind (`/package.Service/Method`) with these messages, and returns how it ended. `authorization`
// is sent unless it is empty; the bytes of all answers are added to `response`, unless it is null.
inline grpc::Status CallWithMessages(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                                     const std::vector<std::string>& requests, std::string* response,
                                     const std::string& authorization = "") {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  if (!authorization.empty()) context.AddMetadata("authorization", authorization);
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(&context, method, &queue);
  const auto wait = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return ok;
  };
  call->StartCall(nullptr);
  wait();
  for (const std::string& request : requests) {
    const grpc::Slice slice(request);
    call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    wait();
  }
  call->WritesDone(nullptr);
  wait();
  grpc::ByteBuffer buffer;
  for (call->Read(&buffer, nullptr); wait(); call->Read(&buffer, nullptr)) {
    if (response == nullptr) continue;
    std::vector<grpc::Slice> slices;
    buffer.Dump(&slices);
    for (const grpc::Slice& piece : slices) response->append(piece.begin(), piece.end());
  }
  grpc::Status status;
  call->Finish(&status, nullptr);
  wait();
  return status;
}

// The same with one message.
inline grpc::Status CallRaw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                            const std::string& request, std::string* response, const std::string& authorization = "") {
  return CallWithMessages(channel, method, {request}, response, authorization);
}

}  // namespace deconvoy::server
