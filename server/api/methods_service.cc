#include "server/api/methods_service.h"

#include <fmt/format.h>

#include "proto/contract/error.h"
#include "server/api/paging.h"

namespace deconvoy::server {

grpc::Status MethodsService::StreamedList(grpc::ServerContext* context,
                                          Unary<v1::ListMethodsRequest, v1::ListMethodsResponse>* stream) {
  Call call(door_, Call::kUser, "Methods.List", *context);
  return call.Answer(stream, [&](const v1::ListMethodsRequest& request) -> absl::StatusOr<v1::ListMethodsResponse> {
    v1::ListMethodsResponse response;
    const auto page = PageOf(capabilities_.Methods(), request.page_size(), request.page_token());
    response.mutable_methods()->Assign(page.items.begin(), page.items.end());
    response.set_next_page_token(page.next_token);
    return response;
  });
}

grpc::Status MethodsService::StreamedGet(grpc::ServerContext* context,
                                         Unary<v1::GetMethodRequest, v1::Method>* stream) {
  Call call(door_, Call::kUser, "Methods.Get", *context);
  return call.Answer(stream, [&](const v1::GetMethodRequest& request) -> absl::StatusOr<v1::Method> {
    call.About(request.method());
    absl::StatusOr<v1::Method> method = capabilities_.FindMethod(request.method(), "method");
    if (method.ok()) return method;
    // Asked by name, a method that is not there is like any other thing that is not.
    return MakeError({.reason = v1::NOT_FOUND, .field = "method", .remedy = InfoOf(method.status()).remedy()},
                     std::string(method.status().message()));
  });
}

}  // namespace deconvoy::server
