// The two directions of a Deconvolve call as blocking reads and writes that do not wait for one another: the call can
// end while a read waits for its caller, as a call of gRPC's synchronous services cannot.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <functional>
#include <mutex>

#include "deconvoy/v1/deconvolution.grpc.pb.h"

namespace deconvoy::server {

// One thread may read while another one writes. Kept until WaitDone has returned.
class DeconvolveStream final : public grpc::ServerBidiReactor<v1::DeconvolveRequest, v1::DeconvolveResponse> {
 public:
  // Called once, from a thread of gRPC, when the caller has gone; must return at once. Set before the first read.
  void SetCancelListener(std::function<void()> listener);

  // The next message; false when the caller has closed its side or has gone, or the call is closed.
  bool Read(v1::DeconvolveRequest* message);
  // Returns once the message is on its way, which a slow caller delays; false when the caller has gone.
  bool Write(const v1::DeconvolveResponse& message);
  // From any thread: nothing more is written. A write that is under way may end within a moment; then `cancel`, which
  // ends the call for its caller, is called from the thread that writes.
  void StopWriting(std::function<void()> cancel);
  // Ends the call. Nothing may be written any more; a read that waits ends.
  void Close(const grpc::Status& status);
  // Waits until gRPC has let go of the call. After Close.
  void WaitDone();
  bool cancelled();

 private:
  enum class Operation { kIdle, kPending, kDone, kFailed };

  void OnReadDone(bool ok) override { Settle(read_, ok); }
  void OnWriteDone(bool ok) override { Settle(write_, ok); }
  void OnCancel() override;
  void OnDone() override;

  void Settle(Operation& operation, bool ok);
  bool Await(std::unique_lock<std::mutex>& lock, Operation& operation);

  std::mutex mutex_;
  std::condition_variable changed_;
  // --- guarded by mutex_ ---
  std::function<void()> cancel_listener_;
  Operation read_ = Operation::kIdle, write_ = Operation::kIdle;
  std::function<void()> cancel_;
  bool stopped_writing_ = false;
  bool cancelled_ = false, closed_ = false, done_ = false;
};

}  // namespace deconvoy::server
