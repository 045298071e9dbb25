// Server reflection answers everybody, on a thread for as long as its caller likes: so that strangers do not take all
// threads, few such calls may be open at once.
#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <memory>

namespace deconvoy::server {

// Calls of reflection that may be open at once; further ones end at once with CANCELLED.
inline constexpr int kOpenReflections = 16;

// What holds a server's calls of reflection to that, and lets all other calls be. To be given to gRPC as it is built.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeReflectionLimit();

}  // namespace deconvoy::server
