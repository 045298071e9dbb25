#include "client/cpp/acquisition_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

#include "client/cpp/acquisition_events.h"
#include "client/cpp/box_series.h"
#include "client/cpp/connection.h"
#include "client/cpp/plane_buffer.h"
#include "client/cpp/recorded_planes.h"
#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

// Of a header's message, for what is around its parts.
constexpr size_t kChunkFramingBytes = 1024;

using Call = grpc::ClientReaderWriter<v1::DeconvolveRequest, v1::DeconvolveResponse>;

absl::Status Over(std::string_view what) {
  return absl::FailedPreconditionError(fmt::format("the stream takes no more planes: {}", what));
}

}  // namespace

class AcquisitionStream::Impl {
 public:
  Impl(const Client& client, std::shared_ptr<Connection> connection, v1::DeconvolveHeader header, const Shape5& shape,
       AcquisitionOptions options, std::stop_token stop)
      : client_(client),
        connection_(std::move(connection)),
        header_(std::move(header)),
        options_(std::move(options)),
        stopper_(std::move(stop), [this] { stop_.request_stop(); }),
        planes_(shape, header_.input().type()),
        events_(options_.result_bytes, options_.received),
        runner_([this] { Run(); }) {}

  ~Impl() {
    stop_.request_stop();
    {
      const std::lock_guard lock(mutex_);
      leaving_ = true;
      changed_.notify_all();
    }
    runner_.join();
  }

  // Waits for the first answer.
  absl::Status AwaitOpened() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return opened_ || over_; });
    if (opened_) return absl::OkStatus();
    return over_->ok() ? absl::InternalError("the server ended the call without having opened the session") : *over_;
  }

  const std::string& session() const { return header_.session(); }

  // REQUIRES: AwaitOpened has succeeded.
  const v1::SessionOpened& opened() const { return *opened_; }

  absl::Status Push(int64_t t, int64_t c, int64_t z, std::span<const std::byte> plane, absl::Duration patience) {
    RETURN_IF_ERROR(planes_.Check(t, c, z, plane));
    if (patience <= absl::ZeroDuration()) {
      const std::lock_guard lock(mutex_);
      if (Takes() && !HasRoom()) return Full();
    }
    PlaneBuffer::Bytes copy;
    try {
      copy = std::make_shared<const std::vector<std::byte>>(plane.begin(), plane.end());
    } catch (const std::bad_alloc&) {
      return MakeError({.reason = v1::OUT_OF_MEMORY, .remedy = "Give the stream a smaller buffer."},
                       fmt::format("no memory for one more plane of {} bytes", plane.size()));
    }
    std::unique_lock lock(mutex_);
    WaitFor(lock, patience, [this] { return !Takes() || HasRoom(); });
    RETURN_IF_ERROR(WhyItTakesNone());
    if (!HasRoom()) return Full();
    RETURN_IF_ERROR(planes_.Take(t, c, z, std::move(copy)));
    changed_.notify_all();
    return absl::OkStatus();
  }

  bool Has(int64_t t, int64_t c, int64_t z) const {
    const std::lock_guard lock(mutex_);
    return planes_.Has(t, c, z);
  }

  AcquisitionCounts counts() const {
    const std::lock_guard lock(mutex_);
    return planes_.counts();
  }

  absl::StatusOr<std::optional<AcquisitionEvent>> Poll(absl::Duration timeout) {
    for (;;) {
      std::unique_lock lock(mutex_);
      WaitFor(lock, timeout, [this] { return over_ || !events_.empty(); });
      if (events_.empty()) {
        if (over_) RETURN_IF_ERROR(*over_);
        return std::nullopt;
      }
      AcquisitionEvent event = events_.Next();
      lock.unlock();
      auto* box = std::get_if<FinishedBox>(&event);
      if (box == nullptr || !box->voxels.empty()) return event;
      auto voxels = client_.ReadBox(opened_->estimate(), box->box, stop_.get_token());
      if (voxels.ok()) {
        box->voxels = *std::move(voxels);
        return event;
      }
      // The result of a job that has failed meanwhile is gone; its end is told, too.
      const v1::ErrorReason reason = ReasonOf(voxels.status());
      if (reason != v1::NOT_FOUND && reason != v1::VOLUME_GONE) return voxels.status();
    }
  }

  absl::Status Finish(const std::string& digest) {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(WhyItTakesNone());
    RETURN_IF_ERROR(planes_.CheckAllTaken());
    finishing_ = true;
    digest_ = digest;
    changed_.notify_all();
    return absl::OkStatus();
  }

  absl::Status Close(absl::Duration patience) {
    std::unique_lock lock(mutex_);
    closing_ = true;
    changed_.notify_all();
    WaitFor(lock, patience, [this] { return over_ || planes_.all_durable(); });
    const bool durable = planes_.all_durable();
    leaving_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return over_.has_value(); });
    RETURN_IF_ERROR(*over_);
    if (durable) return absl::OkStatus();
    return absl::DeadlineExceededError(fmt::format("{} bytes of planes were not durable within {}",
                                                   planes_.buffered_bytes(), absl::FormatDuration(patience)));
  }

  absl::Status Cancel(const std::stop_token& stop) { return client_.CancelJob(opened_->job().name(), stop).status(); }

 private:
  template <class Condition>
  void WaitFor(std::unique_lock<std::mutex>& lock, absl::Duration time, Condition condition) {
    if (time == absl::InfiniteDuration()) return changed_.wait(lock, condition);
    changed_.wait_for(lock, absl::ToChronoNanoseconds(time), condition);
  }

  // --- with the mutex held ---

  bool HasRoom() const { return planes_.HasRoom(options_.buffer_bytes); }
  bool Takes() const { return !over_ && !ended_ && !finishing_ && !closing_; }

  absl::Status WhyItTakesNone() const {
    if (over_ && !over_->ok()) return *over_;
    if (ended_) return Over("the job has ended");
    if (finishing_) return Over("its input was finished");
    if (closing_ || over_) return Over("it was closed");
    return absl::OkStatus();
  }

  absl::Status Full() const {
    return MakeError(
        {.reason = v1::OUT_OF_MEMORY, .remedy = "Push it again later, or give the stream a larger buffer."},
        fmt::format("the buffer is full: {} bytes of planes are not durable yet", planes_.buffered_bytes()));
  }

  // A call has been opened: what the server has need not be sent. Returns the planes that turn out to be durable.
  std::vector<FrameBox> TakeOpened(const v1::SessionOpened& opened) {
    absl::StatusOr<std::vector<FrameBox>> durable = planes_.Open(opened.input());
    if (!durable.ok()) {
      call_error_ = durable.status();
      return {};
    }
    input_complete_ = opened.input().state() == v1::COMPLETE;
    if (!opened_) {
      opened_ = opened;
    } else if (std::exchange(outage_told_, false)) {
      events_.Tell(Outage{.over = true});
    }
    events_.Open(opened);
    call_open_ = true;
    return *std::move(durable);
  }

  bool FinishIsDue() const { return finishing_ && !finish_sent_ && !input_complete_ && !planes_.has_next(); }

  // --- the runner's thread ---

  void Run() {
    const absl::Status status = Work();
    const std::lock_guard lock(mutex_);
    over_ = status;
    changed_.notify_all();
  }

  absl::Status Work() {
    RetryPolicy first = options_.retry;
    first.total = options_.open_patience;
    Retrier opening = connection_->MakeQuietRetrier(first, stop_.get_token());
    Retrier going_on = connection_->MakeQuietRetrier(options_.retry, stop_.get_token());
    for (;;) {
      absl::Status status = Attempt();
      std::unique_lock lock(mutex_);
      if (ended_ || leaving_) return absl::OkStatus();
      if (status.ok()) status = absl::UnavailableError("the server ended the call early");
      // Once it has begun it outlasts a lack: the planes are safe in the buffer.
      const bool lacks = opened_ && IsLack(status);
      if (lacks) status = AsUnavailable(status);
      if (call_open_ && !lacks) going_on.Reset();
      if (opened_ && IsRetryable(status) && !stop_.stop_requested()) {
        events_.Tell(Outage{.error = status, .tries_for = options_.retry.total});
        outage_told_ = true;
        changed_.notify_all();
      }
      Retrier& retrier = opened_ ? going_on : opening;
      lock.unlock();
      RETURN_IF_ERROR(retrier.Pause(status));
    }
  }

  // One call, to its end.
  absl::Status Attempt() {
    grpc::ClientContext context;
    const std::stop_callback cancel(stop_.get_token(), [&context] { context.TryCancel(); });
    {
      const std::lock_guard lock(mutex_);
      call_open_ = call_broken_ = finish_sent_ = false;
      call_error_ = absl::OkStatus();
    }
    const auto call = connection_->deconvolution().Deconvolve(&context);
    std::thread listener([this, &call] { Listen(*call); });
    if (call->Write(Header())) Send(*call);
    call->WritesDone();
    {
      const std::lock_guard lock(mutex_);
      if (leaving_ || !call_error_.ok()) context.TryCancel();
    }
    listener.join();
    const absl::Status status = connection_->ToStatus(call->Finish());
    const std::lock_guard lock(mutex_);
    return call_error_.ok() ? status : call_error_;
  }

  v1::DeconvolveRequest Header() {
    v1::DeconvolveRequest request;
    *request.mutable_header() = header_;
    std::vector<v1::Box> received;
    {
      const std::lock_guard lock(mutex_);
      received = events_.received();
    }
    const size_t taken = std::min(request.ByteSizeLong() + kChunkFramingBytes, limits::kMessageBytes);
    const size_t room = std::min(limits::kReceivedBytes, limits::kMessageBytes - taken);
    const std::vector<v1::BoxSeries> series = SeriesOf(received, room);
    request.mutable_header()->mutable_received_series()->Assign(series.begin(), series.end());
    return request;
  }

  // Sends what there is until the call breaks or is left.
  void Send(Call& call) {
    v1::DeconvolveRequest request;
    for (;;) {
      std::optional<PlaneBuffer::Piece> piece;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(
            lock, [this] { return call_broken_ || leaving_ || (call_open_ && (planes_.has_next() || FinishIsDue())); });
        if (call_broken_ || leaving_) return;
        piece = planes_.TakeNext();
        if (!piece) {
          finish_sent_ = true;
          request.mutable_finish()->set_digest(digest_);
        }
      }
      if (piece) Fill(*piece, *request.mutable_chunk());
      if (!call.Write(request)) return;
    }
  }

  static void Fill(const PlaneBuffer::Piece& piece, v1::Chunk& chunk) {
    const auto bytes =
        std::span(*piece.plane).subspan(static_cast<size_t>(piece.offset), static_cast<size_t>(piece.bytes));
    *chunk.mutable_box() = ToProto(piece.box);
    chunk.set_data(bytes.data(), bytes.size());
    chunk.set_crc32c(Crc32c(bytes));
  }

  // --- the listener's thread, one for each call ---

  void Listen(Call& call) {
    v1::DeconvolveResponse response;
    while (call.Read(&response)) Take(response);
    const std::lock_guard lock(mutex_);
    call_broken_ = true;
    changed_.notify_all();
  }

  void Take(v1::DeconvolveResponse& response) {
    std::vector<FrameBox> durable;
    {
      const std::lock_guard lock(mutex_);
      durable = TakePart(response);
      if (ended_ || !call_error_.ok()) call_broken_ = true;
      changed_.notify_all();
    }
    if (!options_.on_durable) return;
    for (const FrameBox& plane : durable) options_.on_durable(plane.t, plane.c, plane.box.origin.z);
  }

  // REQUIRES: the mutex is held.
  std::vector<FrameBox> TakePart(v1::DeconvolveResponse& response) {
    switch (response.part_case()) {
      case v1::DeconvolveResponse::kOpened:
        return TakeOpened(response.opened());
      case v1::DeconvolveResponse::kWritten:
        return planes_.Acknowledge(response.written());
      case v1::DeconvolveResponse::kProgress:
        events_.Tell(response.progress());
        break;
      case v1::DeconvolveResponse::kBacklog:
        events_.Tell(response.backlog());
        break;
      case v1::DeconvolveResponse::kResult:
        events_.Take(std::move(*response.mutable_result()));
        break;
      case v1::DeconvolveResponse::kFinished:
        events_.Finish(response.finished());
        break;
      case v1::DeconvolveResponse::kFinding:
        events_.Tell(response.finding());
        break;
      case v1::DeconvolveResponse::kEnded:
        ended_ = true;
        events_.Tell(response.ended());
        break;
      case v1::DeconvolveResponse::PART_NOT_SET:
        break;
    }
    return {};
  }

  // Constant.
  const Client client_;
  const std::shared_ptr<Connection> connection_;
  const v1::DeconvolveHeader header_;  // without boxes received
  const AcquisitionOptions options_;

  std::stop_source stop_;
  const std::stop_callback<std::function<void()>> stopper_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  RecordedPlanes planes_;
  AcquisitionEvents events_;
  std::optional<v1::SessionOpened> opened_;  // set once
  bool finishing_ = false, closing_ = false, leaving_ = false;
  std::string digest_;
  bool ended_ = false;                // the job
  bool outage_told_ = false;          // and not its end
  std::optional<absl::Status> over_;  // no call is made any more
  // Guarded likewise, of the call under way.
  bool call_open_ = false, call_broken_ = false, finish_sent_ = false, input_complete_ = false;
  absl::Status call_error_;

  std::thread runner_;  // last: it uses the rest
};

AcquisitionStream::AcquisitionStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AcquisitionStream::~AcquisitionStream() = default;

absl::StatusOr<std::unique_ptr<AcquisitionStream>> AcquisitionStream::Open(const Client& client,
                                                                           const v1::VolumeSpec& input,
                                                                           const v1::JobSpec& job,
                                                                           AcquisitionOptions options,
                                                                           std::stop_token stop) {
  RETURN_IF_ERROR(ValidateVolumeSpec(input));
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(input.shape(), input.type(), "input.shape"));
  v1::DeconvolveHeader header;
  header.set_session(options.session.empty() ? NewRequestId() : options.session);
  RETURN_IF_ERROR(ValidateRequestId(header.session()));
  *header.mutable_input() = input;
  *header.mutable_job() = job;
  header.set_results(options.results);
  std::unique_ptr<AcquisitionStream> stream(new AcquisitionStream(std::make_unique<Impl>(
      client, client.connection_, std::move(header), shape, std::move(options), std::move(stop))));
  RETURN_IF_ERROR(stream->impl_->AwaitOpened());
  return stream;
}

const std::string& AcquisitionStream::session() const {
  return impl_->session();
}

const v1::SessionOpened& AcquisitionStream::opened() const {
  return impl_->opened();
}

absl::Status AcquisitionStream::Push(int64_t t, int64_t c, int64_t z, std::span<const std::byte> plane,
                                     absl::Duration patience) {
  return impl_->Push(t, c, z, plane, patience);
}

absl::Status AcquisitionStream::TryPush(int64_t t, int64_t c, int64_t z, std::span<const std::byte> plane) {
  return impl_->Push(t, c, z, plane, absl::ZeroDuration());
}

bool AcquisitionStream::Has(int64_t t, int64_t c, int64_t z) const {
  return impl_->Has(t, c, z);
}

AcquisitionCounts AcquisitionStream::counts() const {
  return impl_->counts();
}

absl::StatusOr<std::optional<AcquisitionEvent>> AcquisitionStream::Poll(absl::Duration timeout) {
  return impl_->Poll(timeout);
}

absl::Status AcquisitionStream::Finish(const std::string& digest) {
  return impl_->Finish(digest);
}

absl::Status AcquisitionStream::Close(absl::Duration patience) {
  return impl_->Close(patience);
}

absl::Status AcquisitionStream::Cancel(const std::stop_token& stop) {
  return impl_->Cancel(stop);
}

}  // namespace deconvoy::client
