#include "server/api/reflection_limit.h"

#include <grpcpp/server_context.h>

#include <atomic>
#include <string_view>

namespace deconvoy::server {
namespace {

using grpc::experimental::InterceptionHookPoints;

// One call of reflection, as long as gRPC keeps it.
class CountedCall final : public grpc::experimental::Interceptor {
 public:
  CountedCall(grpc::experimental::ServerRpcInfo& info, std::shared_ptr<std::atomic<int>> open)
      : info_(info), open_(std::move(open)), too_many_(++*open_ > kOpenReflections) {}
  ~CountedCall() override { --*open_; }

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    const bool begins = methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA);
    // Reflection is a synchronous service.
    if (begins && too_many_) static_cast<grpc::ServerContext*>(info_.server_context())->TryCancel();
    methods->Proceed();
  }

 private:
  grpc::experimental::ServerRpcInfo& info_;
  const std::shared_ptr<std::atomic<int>> open_;
  const bool too_many_;
};

class ReflectionLimit final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* info) override {
    if (!std::string_view(info->method()).starts_with("/grpc.reflection.")) return nullptr;
    return new CountedCall(*info, open_);
  }

 private:
  const std::shared_ptr<std::atomic<int>> open_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeReflectionLimit() {
  return std::make_unique<ReflectionLimit>();
}

}  // namespace deconvoy::server
