// One Volumes.Write call with a bounded window of bytes that are not durable yet. Internal to this library.
#pragma once

#include <absl/status/status.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include "client/cpp/connection.h"

namespace deconvoy::client {

// The calling thread sends, a second one hears the acknowledgements. Dropped without Close, the call is cancelled, as
// it is when `stop` is requested.
class WriteStream {
 public:
  WriteStream(Connection& connection, std::stop_token stop);
  ~WriteStream();
  WriteStream(const WriteStream&) = delete;
  WriteStream& operator=(const WriteStream&) = delete;

  // Waits for a place in the window. False when the stream is broken, or the server takes no more: Close tells why.
  bool Send(const v1::WriteVolumeRequest& request);

  // Waits until everything sent is durable or the stream breaks. Last call.
  absl::Status Close();

  // Durable bytes of the volume, as far as heard.
  int64_t committed_bytes() const;

 private:
  void Listen();

  Connection& connection_;
  grpc::ClientContext context_;
  const std::stop_callback<std::function<void()>> cancel_;
  const std::unique_ptr<grpc::ClientReaderWriter<v1::WriteVolumeRequest, v1::WriteVolumeResponse>> stream_;

  mutable std::mutex mutex_;
  std::condition_variable acknowledged_;
  // --- guarded by mutex_ ---
  std::deque<int64_t> open_chunks_;  // bytes of each that is sent and not durable, in order
  int64_t open_bytes_ = 0;           // of all of them
  uint64_t chunks_committed_ = 0;
  int64_t committed_bytes_ = 0;
  bool broken_ = false;

  std::thread listener_;  // last: it uses the rest
};

}  // namespace deconvoy::client
