#include "server/api/methods_service.h"

#include <fmt/format.h>

#include "proto/contract/error.h"
#include "server/api/paging.h"

namespace deconvoy::server {

grpc::Status MethodsService::List(grpc::ServerContext* context, const v1::ListMethodsRequest* request,
                                  v1::ListMethodsResponse* response) {
  Call call(door_, Call::From::kUser, "Methods.List", *context);
  return call.Run([&] {
    const auto page = PageOf(capabilities_.Methods(), request->page_size(), request->page_token());
    response->mutable_methods()->Assign(page.items.begin(), page.items.end());
    response->set_next_page_token(page.next_token);
    return absl::OkStatus();
  });
}

grpc::Status MethodsService::Get(grpc::ServerContext* context, const v1::GetMethodRequest* request,
                                 v1::Method* response) {
  Call call(door_, Call::From::kUser, "Methods.Get", *context, request->method());
  return call.Answer(response, [&]() -> absl::StatusOr<v1::Method> {
    absl::StatusOr<v1::Method> method = capabilities_.FindMethod(request->method(), "method");
    if (method.ok()) return method;
    // Asked by name, a method that is not there is like any other thing that is not.
    return MakeError({.reason = v1::NOT_FOUND, .field = "method", .remedy = InfoOf(method.status()).remedy()},
                     std::string(method.status().message()));
  });
}

}  // namespace deconvoy::server
