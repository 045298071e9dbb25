#include "server/api/deconvolve_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "proto/contract/compression.h"
#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "server/api/call.h"

namespace deconvoy::server {

// No reason of the contract: nothing is wrong with the call. ABORTED, so that its caller does not take the session back
// at once, and lose it again.
absl::Status TakenOver() {
  v1::ErrorInfo info;
  info.set_remedy("Use one program for a session; open the session again to go on here.");
  return FromWire(static_cast<int>(absl::StatusCode::kAborted), "another call has taken up this session",
                  info.SerializeAsString());
}

bool OpenSessions::Enter(const Key& key, uint64_t arrival, const void* call, std::function<void()> end) {
  const std::lock_guard lock(mutex_);
  Entry& entry = open_[key];
  if (entry.arrival > arrival) return false;
  if (entry.end) entry.end();
  entry = {arrival, call, std::move(end)};
  return true;
}

void OpenSessions::Leave(const Key& key, const void* call) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(key);
  if (found != open_.end() && found->second.call == call) open_.erase(found);
}

DeconvolveCall::DeconvolveCall(DeconvolveStream& stream, ServerCore& core, std::string owner,
                               const v1::DeconvolveHeader& header, LiveSession session)
    : stream_(stream),
      volumes_(core.volumes()),
      store_(core.store()),
      jobs_(core.jobs()),
      usage_(core.usage()),
      owner_(std::move(owner)),
      session_(std::move(session)),
      wants_results_(header.results() && !session_.estimate_id.empty()),
      finished_(session_.input.state() == v1::COMPLETE) {
  if (!wants_results_) return;
  const absl::StatusOr<v1::Volume> estimate = volumes_.Get(session_.estimate_id, false);
  if (!estimate.ok()) return;  // the job ends
  result_shape_ = estimate->spec().shape();
  received_ = ReceivedBoxes(header, result_shape_);
}

// --- Reading ---

absl::Status DeconvolveCall::TakeChunk(v1::Chunk& chunk) {
  if (upload_ == nullptr) {
    ASSIGN_OR_RETURN(writer_, volumes_.Write(session_.input_id));
    upload_ = std::make_unique<Upload>(*writer_, [this](int64_t chunks) {
      const std::lock_guard lock(mutex_);
      durable_chunks_ = chunks;
      changed_.notify_all();
      return true;
    });
  }
  RETURN_IF_ERROR(Unpack(chunk, session_.input.spec()));
  RETURN_IF_ERROR(upload_->Add(chunk));
  usage_.Add(owner_, static_cast<int64_t>(chunk.data().size()), 0);
  return absl::OkStatus();
}

absl::Status DeconvolveCall::TakeFinish(const v1::FinishInput& finish) {
  if (upload_ != nullptr) RETURN_IF_ERROR(upload_->Finish());
  const absl::Status finished = volumes_.Finish(session_.input_id, finish.digest()).status();
  // A wrong digest is the end of the job, which tells of it.
  if (!finished.ok() && ReasonOf(finished) != v1::DIGEST_MISMATCH) return finished;
  const std::lock_guard lock(mutex_);
  finished_ = true;
  return absl::OkStatus();
}

void DeconvolveCall::ReadInput() {
  absl::Status status;
  bool ending = false;
  v1::DeconvolveRequest message;
  while (status.ok()) {
    const Heard heard = Hear(stream_, message);
    if (heard == Heard::kEnd) break;
    if (heard == Heard::kUnread) {
      status = UnreadMessage();
    } else if (message.has_chunk() && !ending) {
      status = TakeChunk(*message.mutable_chunk());
    } else if (message.has_finish() && !ending) {
      ending = true;
      status = TakeFinish(message.finish());
    } else {
      status = MakeError({.reason = v1::INVALID_FIELD,
                          .field = "part",
                          .remedy = "Send the header, then chunks, then at most one `finish` and nothing after it."},
                         "a message came that may not follow those before it");
    }
  }
  // What came before an error is good, and its acknowledgement spares sending it again.
  if (upload_ != nullptr) {
    const absl::Status committed = upload_->Finish();
    if (status.ok()) status = committed;
  }
  const std::lock_guard lock(mutex_);
  input_status_ = status;
  input_over_ = true;
  changed_.notify_all();
}

// --- Watching ---

void DeconvolveCall::WatchJob() {
  const auto take = [this](const v1::JobEvent& event) {
    const std::lock_guard lock(mutex_);
    if (event.has_finding()) findings_.push_back(event.finding());
    if (event.has_progress()) progress_ = event.progress();
    if (event.has_ended()) ended_ = event.ended();
    news_ = true;
    changed_.notify_all();
    return !leaving_;
  };
  const auto gone = [this] {
    const std::lock_guard lock(mutex_);
    return leaving_;
  };
  const absl::Status status = jobs_.Watch(owner_, session_.job_id, session_.job.last_sequence(), take, gone);
  const std::lock_guard lock(mutex_);
  watch_status_ = status;
  if (status.ok() && !ended_ && !leaving_) {
    watch_status_ = MakeError({.reason = v1::NOT_FOUND, .field = "job"},
                              fmt::format("{} was deleted before its end could be told", session_.job.name()));
  }
  changed_.notify_all();
}

// --- Writing ---

absl::Status DeconvolveCall::Send(const v1::DeconvolveResponse& message) {
  return stream_.Write(message) ? absl::OkStatus() : Gone();
}

absl::Status DeconvolveCall::Gone() {
  const std::lock_guard lock(mutex_);
  return taken_over_ ? TakenOver() : absl::CancelledError("the caller has left");
}

void DeconvolveCall::TakeOver(std::function<void()> cancel) {
  {
    const std::lock_guard lock(mutex_);
    taken_over_ = leaving_ = true;
    changed_.notify_all();
  }
  stream_.StopWriting(std::move(cancel));
}

absl::Status DeconvolveCall::Opened() {
  v1::DeconvolveResponse message;
  v1::SessionOpened& opened = *message.mutable_opened();
  *opened.mutable_input() = session_.input;
  *opened.mutable_job() = session_.job;
  opened.set_resumed(session_.resumed);
  if (!session_.estimate_id.empty()) opened.set_estimate(VolumeName(session_.estimate_id));
  return Send(message);
}

absl::StatusOr<bool> DeconvolveCall::WriteAcknowledgement() {
  {
    const std::lock_guard lock(mutex_);
    if (durable_chunks_ == told_chunks_) return false;
    told_chunks_ = durable_chunks_;
    backlog_is_old_ = true;
  }
  ASSIGN_OR_RETURN(const v1::Volume volume, volumes_.Get(session_.input_id, false));
  v1::DeconvolveResponse message;
  message.mutable_written()->set_chunks_committed(static_cast<uint64_t>(told_chunks_));
  message.mutable_written()->set_committed_bytes(volume.committed_bytes());
  RETURN_IF_ERROR(Send(message));
  return true;
}

absl::StatusOr<bool> DeconvolveCall::WriteFinding() {
  v1::DeconvolveResponse message;
  {
    const std::lock_guard lock(mutex_);
    if (findings_.empty()) return false;
    *message.mutable_finding() = std::move(findings_.front());
    findings_.pop_front();
  }
  RETURN_IF_ERROR(Send(message));
  return true;
}

absl::StatusOr<bool> DeconvolveCall::WriteProgress() {
  v1::DeconvolveResponse message;
  {
    const std::lock_guard lock(mutex_);
    if (!progress_) return false;
    *message.mutable_progress() = *std::exchange(progress_, std::nullopt);
    backlog_is_old_ = true;
  }
  RETURN_IF_ERROR(Send(message));
  return true;
}

absl::StatusOr<bool> DeconvolveCall::WriteBacklog() {
  if (!std::exchange(backlog_is_old_, false)) return false;
  ASSIGN_OR_RETURN(const JobManager::Stand stand, jobs_.StandOf(owner_, session_.job_id, SIZE_MAX));
  if (stand.ended) return false;
  ASSIGN_OR_RETURN(const v1::Volume input, volumes_.Get(session_.input_id, false));
  ASSIGN_OR_RETURN(const int64_t free_bytes, volumes_.FreeBytes());
  const auto size = static_cast<double>(input.size_bytes());
  const double waiting = std::max(static_cast<double>(input.committed_bytes()) - stand.done_fraction * size, 0.0);
  v1::DeconvolveResponse message;
  v1::Backlog& backlog = *message.mutable_backlog();
  backlog.set_waiting_bytes(static_cast<uint64_t>(waiting));
  backlog.set_seconds(waiting / size * stand.result_gigavoxels * stand.seconds_per_gigavoxel);
  std::string bytes = message.SerializeAsString();
  if (bytes == told_backlog_) return false;
  told_backlog_ = std::move(bytes);
  // What other programs do to the disk is told with it, but is no news by itself.
  backlog.set_free_bytes(static_cast<uint64_t>(std::max<int64_t>(free_bytes, 0)));
  RETURN_IF_ERROR(Send(message));
  return true;
}

absl::StatusOr<bool> DeconvolveCall::WriteUrgent() {
  ASSIGN_OR_RETURN(const bool acknowledged, WriteAcknowledgement());
  if (acknowledged) return true;
  ASSIGN_OR_RETURN(const bool finding, WriteFinding());
  if (finding) return true;
  ASSIGN_OR_RETURN(const bool progress, WriteProgress());
  if (progress) return true;
  return WriteBacklog();
}

uint64_t DeconvolveCall::PlaceOf(const v1::Box& box) const {
  const v1::Shape5& s = result_shape_;
  return (((uint64_t{box.t()} * s.c() + box.c()) * s.z() + box.z()) * s.y() + box.y()) * s.x() + box.x();
}

// Those that became durable since the last look; when the job has succeeded all that the caller lacks.
absl::Status DeconvolveCall::FindResults() {
  const auto add = [this](const v1::Box& box) {
    if (!received_.Contains(box) && known_.insert(PlaceOf(box)).second) to_send_.push_back(box);
  };
  std::optional<v1::JobState> end;
  {
    const std::lock_guard lock(mutex_);
    news_ = false;
    if (ended_) end = ended_->state();
  }
  if (!end) {
    ASSIGN_OR_RETURN(const JobManager::Stand stand, jobs_.StandOf(owner_, session_.job_id, looked_at_));
    looked_at_ += stand.finished.size();
    for (const v1::Box& box : stand.finished) add(box);
    return absl::OkStatus();
  }
  all_found_ = true;
  if (*end != v1::SUCCEEDED) {
    to_send_.clear();
    return absl::OkStatus();
  }
  for (int64_t t = 0; t < int64_t{result_shape_.t()}; ++t) {
    for (int64_t c = 0; c < int64_t{result_shape_.c()}; ++c) {
      ASSIGN_OR_RETURN(std::vector<CommittedBox> boxes, store_.GetBoxes(session_.estimate_id, t, c));
      std::sort(boxes.begin(), boxes.end(), [](const CommittedBox& a, const CommittedBox& b) {
        const Voxel &p = a.box.box.origin, &q = b.box.box.origin;
        return std::tie(p.z, p.y, p.x) < std::tie(q.z, q.y, q.x);
      });
      for (const CommittedBox& box : boxes) add(ToProto(box.box));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> DeconvolveCall::WriteResult() {
  if (!wants_results_) return false;
  bool look = false;
  {
    const std::lock_guard lock(mutex_);
    look = news_ && !all_found_;
  }
  if (look) RETURN_IF_ERROR(FindResults());
  if (to_send_.empty()) return false;
  const v1::Box box = to_send_.front();
  to_send_.pop_front();
  const absl::Status written = WriteBox(box);
  // A job that has failed or was cancelled has no result any more.
  if (const v1::ErrorReason reason = ReasonOf(written); reason == v1::NOT_FOUND || reason == v1::VOLUME_GONE) {
    return true;
  }
  RETURN_IF_ERROR(written);
  return true;
}

absl::Status DeconvolveCall::WriteBox(const v1::Box& box) {
  absl::Status status;
  v1::DeconvolveResponse message;
  const absl::Status read = volumes_.Read(session_.estimate_id, box, [&](v1::Chunk& chunk) {
    for (absl::StatusOr<bool> urgent = true; status.ok() && *urgent;) {
      urgent = WriteUrgent();
      status = urgent.status();
      if (!status.ok()) return false;
    }
    const auto bytes = static_cast<int64_t>(chunk.data().size());
    *message.mutable_result() = std::move(chunk);
    status = Send(message);
    if (status.ok()) usage_.Add(owner_, 0, bytes);
    return status.ok();
  });
  RETURN_IF_ERROR(status);
  RETURN_IF_ERROR(read);
  *message.mutable_finished() = box;
  return Send(message);
}

void DeconvolveCall::NoteFetched() {
  const absl::StatusOr<VolumeRecord> result = store_.GetVolume(session_.estimate_id);
  if (!result.ok()) return;  // deleted meanwhile
  for (int64_t t = 0; t < int64_t{result_shape_.t()}; ++t) {
    for (int64_t c = 0; c < int64_t{result_shape_.c()}; ++c) {
      volumes_.NoteSent(*result, {t, c, {{}, {result_shape_.z(), result_shape_.y(), result_shape_.x()}}});
    }
  }
}

std::optional<absl::Status> DeconvolveCall::Over() {
  std::unique_lock lock(mutex_);
  if (durable_chunks_ != told_chunks_ || !findings_.empty()) return std::nullopt;  // come first
  if (!input_status_.ok()) return input_status_;
  if (ended_ && (all_found_ || !wants_results_) && to_send_.empty()) {
    v1::DeconvolveResponse message;
    *message.mutable_ended() = *ended_;
    lock.unlock();
    if (wants_results_ && message.ended().state() == v1::SUCCEEDED) NoteFetched();
    return Send(message);
  }
  if (!watch_status_.ok()) return watch_status_;
  if (input_over_ && !finished_ && !ended_) return absl::OkStatus();
  return std::nullopt;
}

absl::Status DeconvolveCall::Serve() {
  stream_.SetCancelListener([this] {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
    changed_.notify_all();
  });
  RETURN_IF_ERROR(Opened());
  reader_ = std::thread([this] { ReadInput(); });
  watcher_ = std::thread([this] { WatchJob(); });
  for (;;) {
    ASSIGN_OR_RETURN(const bool urgent, WriteUrgent());
    if (urgent) continue;
    if (const std::optional<absl::Status> over = Over()) return *over;
    ASSIGN_OR_RETURN(const bool result, WriteResult());
    if (result) continue;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] {
      const bool results = news_ && wants_results_ && !all_found_;
      const bool over = !input_status_.ok() || !watch_status_.ok() || ended_ || (input_over_ && !finished_);
      return leaving_ || over || results || durable_chunks_ != told_chunks_ || !findings_.empty() || progress_;
    });
    if (!leaving_) continue;
    lock.unlock();
    return Gone();
  }
}

void DeconvolveCall::Join() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
  }
  if (reader_.joinable()) reader_.join();
  if (watcher_.joinable()) watcher_.join();
}

}  // namespace deconvoy::server
