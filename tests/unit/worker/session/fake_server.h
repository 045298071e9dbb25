// A Workers service inside the test process: gives out the tasks it is told to and keeps what comes back.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "deconvoy/v1/workers.grpc.pb.h"
#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::worker::testing {

// What came with one delivery.
struct Delivered {
  v1::DeliveryHeader header;
  std::vector<std::byte> bytes;
  std::vector<size_t> chunk_sizes;
  v1::TaskResult result;
};

class FakeWorkers : public v1::Workers::Service {
 public:
  // --- what the test says ---
  void Give(const v1::Task& task) {
    Change([&] { ready_.push_back(task); });
  }
  void Cancel(const std::string& task) {
    Change([&] { cancelled_.push_back(task); });
  }
  void AskToRegister() {
    Change([&] { ask_to_register_ = true; });
  }
  void Drain(bool drain) {
    Change([&] { drain_ = drain; });
  }
  // The next deliveries or fetches fail like this.
  void FailDeliveries(std::vector<absl::Status> failures) {
    Change([&] { delivery_failures_ = failures; });
  }
  void FailSynchronize(absl::Status failure) {
    Change([&] { synchronize_failure_ = failure; });
  }
  void DamageChunks(int count) {
    Change([&] { damaged_chunks_ = count; });
  }
  void BreakFetches(int count) {
    Change([&] { broken_fetches_ = count; });
  }
  // The next fetches lack their last plane.
  void ShortenFetches(int count) {
    Change([&] { short_fetches_ = count; });
  }
  // Deliveries wait before they are answered, until this is taken back.
  void HoldDeliveries(bool hold) {
    Change([&] { hold_deliveries_ = hold; });
  }
  // The same for fetches.
  void HoldFetches(bool hold) {
    Change([&] { hold_fetches_ = hold; });
  }
  void SetVolume(const std::string& name, std::vector<std::byte> bytes) {
    Change([&] { volumes_[name] = std::move(bytes); });
  }
  // Long polls end at once, so that the server can stop.
  void Close() {
    Change([&] { closed_ = true; });
  }
  void Reopen() {
    Change([&] { closed_ = false; });
  }

  // --- what the test waits for ---
  bool WaitFor(const std::function<bool()>& condition, std::chrono::seconds most = std::chrono::seconds(20)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, most, condition);
  }
  // Copies of what has come so far.
  std::vector<v1::SynchronizeRequest> Requests() { return Copy(requests); }
  std::vector<Delivered> Deliveries() { return Copy(deliveries); }
  int64_t Fetched(const std::string& task) {
    const std::vector<std::string> fetched = Copy(fetched_tasks);
    return std::count(fetched.begin(), fetched.end(), task);
  }

  // For conditions of WaitFor only: guarded by its lock.
  std::vector<v1::SynchronizeRequest> requests;
  std::vector<std::chrono::steady_clock::time_point> request_times;
  std::vector<Delivered> deliveries;
  std::vector<std::string> credentials;
  int fetches = 0;
  std::vector<std::string> fetched_tasks;    // in the order of the fetches
  std::vector<std::string> delivered_tasks;  // as their deliveries came in, answered or not

  // --- the service ---
  grpc::Status Synchronize(grpc::ServerContext* context, const v1::SynchronizeRequest* request,
                           v1::SynchronizeResponse* response) override {
    std::unique_lock lock(mutex_);
    requests.push_back(*request);
    request_times.push_back(std::chrono::steady_clock::now());
    const auto& metadata = context->client_metadata();
    const auto credential = metadata.find("authorization");
    credentials.emplace_back(
        credential == metadata.end() ? "" : std::string(credential->second.data(), credential->second.size()));
    changed_.notify_all();
    if (!synchronize_failure_.ok()) return ToGrpc(synchronize_failure_);
    if (request->free_slots() > 0 && request->tasks().empty() && !request->has_registration()) {
      changed_.wait_for(lock, std::chrono::minutes(5), [&] { return HasNews() || context->IsCancelled(); });
    }
    response->set_register_(std::exchange(ask_to_register_, false));
    response->set_drain(drain_);
    response->set_next_call_ms(request->tasks().empty() ? 0 : 100);
    if (request->free_slots() > 0 && !ready_.empty()) {
      *response->add_assigned() = ready_.front();
      ready_.pop_front();
    }
    if (!request->tasks().empty()) {
      for (const std::string& name : cancelled_) response->add_cancelled(name);
      cancelled_.clear();
    }
    return grpc::Status::OK;
  }

  grpc::Status FetchInput(grpc::ServerContext* context, const v1::FetchInputRequest* request,
                          grpc::ServerWriter<v1::FetchInputResponse>* writer) override {
    std::unique_lock lock(mutex_);
    ++fetches;
    fetched_tasks.push_back(request->task());
    changed_.notify_all();
    while (hold_fetches_ && !closed_ && !context->IsCancelled()) {
      changed_.wait_for(lock, std::chrono::milliseconds(20));
    }
    const bool breaks = broken_fetches_-- > 0;
    const bool lacks_a_plane = short_fetches_-- > 0;
    const FrameBox box = ToFrameBox(request->region());
    v1::FetchInputResponse response;
    // One plane per chunk.
    for (int64_t z = 0; z < box.box.shape.z - (lacks_a_plane ? 1 : 0); ++z) {
      FrameBox plane = box;
      plane.box.origin.z += z;
      plane.box.shape.z = 1;
      std::vector<std::byte> bytes = Cut(request->volume(), plane);
      *response.mutable_chunk()->mutable_box() = ToProto(plane);
      response.mutable_chunk()->set_crc32c(Crc32c(bytes));
      if (damaged_chunks_ > 0 && damaged_chunks_-- > 0) bytes[0] ^= std::byte{1};
      response.mutable_chunk()->set_data(bytes.data(), bytes.size());
      writer->Write(response);
      if (breaks) return {grpc::StatusCode::UNAVAILABLE, "the server stops"};
    }
    return grpc::Status::OK;
  }

  grpc::Status DeliverOutput(grpc::ServerContext* context, grpc::ServerReader<v1::DeliverOutputRequest>* reader,
                             v1::DeliverOutputResponse*) override {
    Delivered delivered;
    for (v1::DeliverOutputRequest part; reader->Read(&part);) {
      if (part.has_header()) Change([&] { delivered_tasks.push_back(part.header().task()); });
      if (part.has_header()) delivered.header = part.header();
      if (part.has_result()) delivered.result = part.result();
      if (!part.has_chunk()) continue;
      const auto data = std::as_bytes(std::span(part.chunk().data()));
      EXPECT_EQ(part.chunk().position(), delivered.bytes.size());
      EXPECT_EQ(part.chunk().crc32c(), Crc32c(data));
      delivered.bytes.insert(delivered.bytes.end(), data.begin(), data.end());
      delivered.chunk_sizes.push_back(data.size());
    }
    std::unique_lock lock(mutex_);
    while (hold_deliveries_ && !closed_ && !context->IsCancelled()) {
      changed_.wait_for(lock, std::chrono::milliseconds(20));
    }
    deliveries.push_back(std::move(delivered));
    changed_.notify_all();
    if (delivery_failures_.empty()) return grpc::Status::OK;
    const absl::Status failure = delivery_failures_.front();
    delivery_failures_.erase(delivery_failures_.begin());
    return ToGrpc(failure);
  }

 private:
  static grpc::Status ToGrpc(const absl::Status& status) {
    return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message()), SerializedInfo(status)};
  }
  void Change(const std::function<void()>& change) {
    const std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }
  template <typename T>
  T Copy(const T& value) {
    const std::lock_guard lock(mutex_);
    return value;
  }
  bool HasNews() const { return !ready_.empty() || ask_to_register_ || drain_ || closed_; }

  // Volumes are one frame of bytes in a cube of 4 voxels' edge.
  std::vector<std::byte> Cut(const std::string& volume, const FrameBox& box) const {
    std::vector<std::byte> bytes(static_cast<size_t>(box.box.shape.voxels()));
    CopyBox(volumes_.at(volume).data(), {{}, {4, 4, 4}}, bytes.data(), box.box, 1);
    return bytes;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_:
  std::deque<v1::Task> ready_;
  std::vector<std::string> cancelled_;
  std::map<std::string, std::vector<std::byte>> volumes_;
  std::vector<absl::Status> delivery_failures_;
  absl::Status synchronize_failure_;
  bool ask_to_register_ = false, drain_ = false, closed_ = false, hold_deliveries_ = false, hold_fetches_ = false;
  int damaged_chunks_ = 0, broken_fetches_ = 0, short_fetches_ = 0;
};

// A server on a Unix socket that can go away and come back.
class FakeServer {
 public:
  FakeServer(FakeWorkers& workers, std::string address) : workers_(workers), address_(std::move(address)) { Start(); }
  ~FakeServer() { Stop(); }

  void Start() {
    workers_.Reopen();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
    builder.RegisterService(&workers_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr) << address_;
  }
  void Stop() {
    workers_.Close();
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }
  const std::string& address() const { return address_; }

 private:
  FakeWorkers& workers_;
  const std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace deconvoy::worker::testing
