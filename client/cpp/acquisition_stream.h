// Deconvolving while the microscope records: planes go to the server as they are taken, and finished boxes of the
// result come back meanwhile.
//
//   ASSIGN_OR_RETURN(Client client, Client::Connect("localhost:7450"));
//   v1::JobSpec job;  ... a deconvolution without input_volume ...
//   ASSIGN_OR_RETURN(auto stream, AcquisitionStream::Open(client, input_spec, job));
//   for each plane: RETURN_IF_ERROR(stream->Push(t, c, z, pixels));
//   RETURN_IF_ERROR(stream->Finish());
//   for (;;) { ASSIGN_OR_RETURN(auto event, stream->Poll(absl::Seconds(1))); ... until the event is a v1::Job }
//
// What is durable when. A plane that Push has taken is in this process's memory, and is lost if the process dies. Once
// it counts in `counts().planes_durable` (and `on_durable` was called for it) it is on the server's disk and survives
// whatever dies. Planes are forgotten here only then.
//
// A broken connection. The stream connects again, with growing waits, takes up the same session, and sends those planes
// again that the server lacks; nothing is stored or computed twice. Meanwhile Push goes on filling the buffer. Only
// planes that are still in the buffer can be sent again: of what it has acknowledged a server never lacks anything, and
// one that does is an error (CORRUPT_DATA). An event tells of the outage and of its end.
//
// A program that has died opens the stream again with the same `session`, the same input and the same job, asks
// `Has` which planes the server holds, and pushes the others. It must have kept the session's name from the first time.
//
// Memory: at most `buffer_bytes` of planes that are not durable yet, `result_bytes` of boxes that nobody has polled (of
// others only the place is kept; their voxels are read from the server when it is their turn), one chunk, and the
// planes that calls of Push wait with.
//
// Threads: all functions may be called from any thread at any time, but for the destructor. A thread of the stream's
// own does the sending and another one the hearing. Dropping the stream breaks the call off at once: what is not
// durable is lost, volume and job stay, and the session may be taken up again.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "client/cpp/client.h"
#include "client/cpp/retry.h"
#include "deconvoy/v1/deconvolution.pb.h"

namespace deconvoy::client {

struct AcquisitionOptions {
  // The name under which the session can be taken up again: 1 to 64 characters of [A-Za-z0-9_-]; empty: a new one.
  std::string session;
  int64_t buffer_bytes = int64_t{256} << 20;  // one plane fits in any case
  int64_t result_bytes = int64_t{256} << 20;
  bool results = true;  // whether finished boxes come as events
  // Finished boxes that are not wanted again: none of them is told. The server sends those once more that a message has
  // no room to name; boxes at many consecutive time points take no more of it than one.
  std::vector<v1::Box> received = {};
  // How long Open tries to reach the server, and how an open stream does: without end unless told otherwise.
  absl::Duration open_patience = absl::Minutes(2);
  RetryPolicy retry = {.total = absl::InfiniteDuration()};
  // Called once for each plane when it has become durable, in the order of that, on a thread of the stream's; it must
  // return soon, and may call `counts` only.
  std::function<void(int64_t t, int64_t c, int64_t z)> on_durable = {};
};

// A finished box of the estimate.
struct FinishedBox {
  FrameBox box;
  v1::VoxelType type = v1::VOXEL_TYPE_UNSPECIFIED;
  std::vector<std::byte> voxels;  // C order z,y,x, little endian
};

// What the stream tells. Of sessions taken up, outages, progress and backlogs the newest is kept until it is polled; of
// all others each one. The job, as it ended, is the last.
using AcquisitionEvent =
    std::variant<v1::SessionOpened, Outage, v1::JobProgress, v1::Backlog, FinishedBox, v1::Finding, v1::Job>;

struct AcquisitionCounts {
  int64_t planes_total = 0;    // of the input
  int64_t planes_taken = 0;    // by Push, here and before the session was taken up
  int64_t planes_durable = 0;  // of them
  int64_t buffered_bytes = 0;  // of planes that are not durable
};

class AcquisitionStream {
 public:
  // Opens a session, or takes it up again; returns when the server has reserved the room for the whole input. `input`
  // is the volume that is recorded, without digest; `job` a deconvolution without its input volume. Both must be those
  // of the first time where a session is taken up. Errors: those of Deconvolution.Deconvolve, CANCELLED when `stop` is
  // requested, which also breaks off the stream later.
  static absl::StatusOr<std::unique_ptr<AcquisitionStream>> Open(const Client& client, const v1::VolumeSpec& input,
                                                                 const v1::JobSpec& job,
                                                                 AcquisitionOptions options = {},
                                                                 std::stop_token stop = {});
  ~AcquisitionStream();
  AcquisitionStream(const AcquisitionStream&) = delete;
  AcquisitionStream& operator=(const AcquisitionStream&) = delete;

  const std::string& session() const;
  // As the server told first.
  const v1::SessionOpened& opened() const;

  // Takes a plane (C order y,x, little endian; it is copied). Planes may come in any order, each once. Takes no longer
  // than the copy, unless the buffer is full: then Push waits for room at most `patience`, and TryPush does not.
  // Errors: RESOURCE_EXHAUSTED (no room: the server is away or slower than the microscope; the plane was not taken, and
  // may be pushed again), BOX_OVERLAPS (it was pushed before, or the server has it), INVALID_FIELD (no such plane, or
  // other bytes than a plane has), FAILED_PRECONDITION (after Finish or Close), and what the stream has ended with.
  absl::Status Push(int64_t t, int64_t c, int64_t z, std::span<const std::byte> plane,
                    absl::Duration patience = absl::InfiniteDuration());
  absl::Status TryPush(int64_t t, int64_t c, int64_t z, std::span<const std::byte> plane);

  // Whether the plane was taken, here or before the session was taken up.
  bool Has(int64_t t, int64_t c, int64_t z) const;

  AcquisitionCounts counts() const;

  // The next event, once there is one; nothing after `timeout`, or when the last one was taken. A box whose voxels were
  // not kept is read from the server now. The error is what the stream has ended with.
  absl::StatusOr<std::optional<AcquisitionEvent>> Poll(absl::Duration timeout);

  // All planes were pushed: the server may finish the input, checking it against `digest` unless that is empty (32
  // bytes, as in VolumeSpec). Returns at once. VOLUME_INCOMPLETE naming the first plane that was not pushed.
  absl::Status Finish(const std::string& digest = "");

  // Leaves volume and job as they are, to be taken up again. Waits until all planes that were taken are durable, at
  // most `patience`. Errors: DEADLINE_EXCEEDED (some are not, and are lost here), what the stream has ended with.
  absl::Status Close(absl::Duration patience = absl::Seconds(30));

  // Has the server cancel the job; its end comes as the last event. The input stays on the server.
  absl::Status Cancel(const std::stop_token& stop = {});

 private:
  class Impl;
  explicit AcquisitionStream(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace deconvoy::client
