// Calls as anybody can make them, of every method of the contract, at a whole server in this process: each is named,
// and sends a few messages. The server has a complete image and a PSF, a volume that is being written, a job on the
// first two, and a worker; what an input changes is forgotten before the next one.
#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "deconvoy/v1/errors.pb.h"
#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/volume_layout.h"
#include "server/api/api_server.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/wire.h"
#include "tests/support/fake_environment.h"

namespace deconvoy {
namespace {

namespace fs = std::filesystem;

// Long enough for most answers; some calls wait for what never comes.
constexpr std::chrono::milliseconds kPatience{60};
constexpr int kMostCalls = 8, kMostMessages = 8;

template <typename T>
T Made(absl::StatusOr<T> result) {
  fuzz::Require(result.ok(), result.ok() ? "" : result.status().ToString().c_str());
  return *std::move(result);
}

class Service {
 public:
  Service() {
    fs::create_directory(folder_);
    server::ServerCore::Options options;
    options.database = folder_ / "store.sqlite";
    options.spool = {.directory = folder_ / "spool", .keep_free_bytes = 0};
    options.sweep_interval = {};
    options.dispatcher.poll = {};
    core_ = Made(server::ServerCore::Open(options, server::SystemClock(), ids_));
    Fill();
    const fs::path credential = folder_ / "credential";
    server_ = Made(server::ApiServer::Start({{.kind = server::Address::Kind::kUnix, .path = folder_ / "s"}}, {},
                                            Made(server::WorkerCredential::Open(credential)), *core_));
    std::ifstream(credential) >> secret_;
    channel_ = grpc::CreateChannel(server_->addresses().front().Text(), grpc::InsecureChannelCredentials());
  }
  ~Service() {
    core_->jobs().Stop();
    core_->dispatcher().Stop();
    channel_.reset();
    server_.reset();
    core_.reset();
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  grpc::Status Call(const std::string& method, const std::vector<std::string>& messages) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    context.AddMetadata("authorization", "Bearer " + secret_);
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareCall(&context, method, &queue);
    const auto wait = [&queue] {
      void* tag = nullptr;
      bool ok = false;
      queue.Next(&tag, &ok);
      return ok;
    };
    call->StartCall(nullptr);
    bool heard = wait();
    for (size_t i = 0; heard && i < messages.size(); ++i) {
      const grpc::Slice slice(messages[i]);
      call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
      heard = wait();
    }
    if (heard) {
      call->WritesDone(nullptr);
      wait();
    }
    grpc::ByteBuffer ignored;
    for (call->Read(&ignored, nullptr); wait(); call->Read(&ignored, nullptr)) {
    }
    grpc::Status status;
    call->Finish(&status, nullptr);
    wait();
    return status;
  }

 private:
  static inline int services_ = 0;  // made so far

  // The volumes have the ids 3, 4 and 5, the job 6, its result 7.
  void Fill() {
    v1::SynchronizeRequest worker;
    worker.set_worker("workers/w");
    v1::WorkerRegistration& registration = *worker.mutable_registration();
    registration.set_contract_version(limits::kContractVersion);
    registration.set_backend("cpu");
    registration.set_memory_budget_bytes(int64_t{1} << 30);
    registration.mutable_self_test()->set_passed(true);
    v1::Method& method = *registration.add_methods();
    method.set_name("rl");
    method.add_boundaries(v1::EXTEND);
    method.set_transforms_per_iteration(4);
    method.set_bytes_per_padded_voxel(20);
    method.add_backends("cpu");
    Made(core_->dispatcher().Synchronize(worker, "node", [] { return false; }));
    const std::string image = AddVolume({1, 1, 4, 8, 8}, true), psf = AddVolume({1, 1, 3, 3, 3}, true);
    AddVolume({2, 1, 4, 8, 8}, false);
    v1::SubmitJobRequest job;
    job.set_request_id("job");
    job.mutable_spec()->mutable_deconvolve()->set_input_volume(image);
    job.mutable_spec()->mutable_deconvolve()->set_psf_volume(psf);
    job.mutable_spec()->mutable_deconvolve()->set_method("rl");
    Made(core_->jobs().Submit("local", job));
  }

  std::string AddVolume(const Shape5& shape, bool complete) {
    v1::CreateVolumeRequest request;
    request.set_request_id(fmt::format("volume-{}", ++volumes_));
    *request.mutable_spec()->mutable_shape() = ToProto(shape);
    request.mutable_spec()->set_type(v1::U8);
    const v1::Volume volume = Made(core_->volumes().Create("local", request));
    const std::string id = Made(VolumeId(volume.name(), "volume"));
    v1::Chunk chunk;
    *chunk.mutable_box() = ToProto(FrameBox{0, 0, {{}, shape.frame()}});
    chunk.set_data(std::string(static_cast<size_t>(shape.frame().voxels()), 'x'));
    chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
    const auto writer = Made(core_->volumes().Write(id));
    fuzz::Require(writer->Add(chunk).ok() && writer->Commit().ok(), "voxels are taken");
    if (complete) Made(core_->volumes().Finish(id, ""));
    return volume.name();
  }

  // Another one for each service: gRPC may keep what it knows of an address for a while.
  const fs::path folder_ = fs::temp_directory_path() / fmt::format("deconvoy-fuzz-{}-{}", getpid(), ++services_);
  testing::CountingIds ids_{'0'};  // so that inputs can name what the server makes
  int volumes_ = 0;
  std::string secret_;
  std::unique_ptr<server::ServerCore> core_;
  std::unique_ptr<server::ApiServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

const google::protobuf::MethodDescriptor* FindMethod(const std::string& name) {
  return google::protobuf::DescriptorPool::generated_pool()->FindMethodByName("deconvoy.v1." + name);
}

bool IsMessageOf(const google::protobuf::MethodDescriptor& method, const std::string& bytes) {
  const std::unique_ptr<google::protobuf::Message> message(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(method.input_type())->New());
  return fuzz::Parse(*message, bytes);
}

bool OnlyLooks(std::string_view name) {
  static constexpr std::array<std::string_view, 6> kLooks = {"Get",   "List",      "Read",
                                                             "Watch", "Preflight", "ExportUsage"};
  return std::ranges::any_of(kLooks, [&](std::string_view look) { return name.starts_with(look); });
}

void CheckAnswer(const grpc::Status& status) {
  const grpc::StatusCode code = status.error_code();
  fuzz::Require(code != grpc::UNKNOWN && code != grpc::INTERNAL && code != grpc::UNIMPLEMENTED,
                "no request breaks the server");
  fuzz::Require(IsUtf8(status.error_message()), "a refusal can be shown");
  const bool ours = code != grpc::OK && code != grpc::CANCELLED && code != grpc::DEADLINE_EXCEEDED;
  v1::ErrorInfo info;
  fuzz::Require(
      !ours || (info.ParseFromString(status.error_details()) && info.reason() != v1::ERROR_REASON_UNSPECIFIED),
      "a refusal has a reason");
}

// Whether the server may have changed.
bool MakeCall(Service& service, fuzz::Input& input) {
  const std::string name = input.TakeText();
  const google::protobuf::MethodDescriptor* method = FindMethod(name);
  if (method == nullptr) return false;
  std::vector<std::string> messages(1 + input.Take<uint8_t>() % kMostMessages);
  if (!method->client_streaming()) messages.resize(1);
  for (std::string& message : messages) {
    message = input.TakeText();
    if (!IsMessageOf(*method, message)) return false;
  }
  const std::string path = fmt::format("/{}/{}", method->service()->full_name(), method->name());
  const grpc::Status status = service.Call(path, messages);
  CheckAnswer(status);
  const bool done = status.ok() || status.error_code() == grpc::DEADLINE_EXCEEDED;
  return !OnlyLooks(method->name()) && (done || messages.size() > 1);
}

}  // namespace
}  // namespace deconvoy

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace deconvoy;
  static const bool quiet = [] {
    spdlog::set_level(spdlog::level::off);  // also so that the log outlives the service
    return true;
  }();
  static std::unique_ptr<Service> service;
  if (quiet && service == nullptr) service = std::make_unique<Service>();
  fuzz::Input input(data, size);
  bool changed = false;
  for (int call = 0; call < kMostCalls; ++call) changed = MakeCall(*service, input) || changed;
  if (changed) service.reset();
  return 0;
}
