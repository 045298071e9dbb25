// Dispatcher: how results come in.
#include <fmt/format.h>

#include <span>
#include <utility>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "server/schedule/dispatcher.h"

namespace deconvoy::server {
namespace {

int64_t BytesOf(const v1::OutputPiece& piece) {
  return ToFrameBox(piece.box()).box.shape.voxels() * BytesPerVoxel(piece.type());
}

absl::Status Invalid(std::string_view field, std::string_view what) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = std::string(field)}, what);
}

absl::Status Stale(std::string_view task, uint64_t token) {
  return MakeError({.reason = v1::STALE_LEASE, .remedy = "Drop the task; another worker has it, or its job has ended."},
                   fmt::format("the lease {} of {} is over", token, task));
}

// Whether the attempt is spoilt: delivering the same again cannot help.
bool SpoilsAttempt(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsDataLoss(status);
}

}  // namespace

absl::Status Dispatcher::AuthoriseInput(const v1::FetchInputRequest& request, const std::string& account) {
  ASSIGN_OR_RETURN(const std::string worker, WorkerId(request.worker(), "worker"));
  ASSIGN_OR_RETURN(const TaskId task, ParseTaskName(request.task(), "task"));
  std::lock_guard lock(mutex_);
  const Lease* lease = FindLease(task, request.token());
  const bool held = lease != nullptr && lease->worker == worker && IsKnown(worker, account) && !lease->over;
  if (!held) return Stale(request.task(), request.token());
  for (const v1::VolumeAccess& input : lease->task.inputs()) {
    if (input.volume() == request.volume()) return absl::OkStatus();
  }
  return MakeError({.reason = v1::NOT_FOUND, .field = "volume"},
                   fmt::format("{} does not read \"{}\"", request.task(), request.volume()));
}

absl::StatusOr<std::unique_ptr<Delivery>> Dispatcher::BeginDelivery(const v1::DeliveryHeader& header,
                                                                    const std::string& account) {
  ASSIGN_OR_RETURN(const std::string worker, WorkerId(header.worker(), "header.worker"));
  ASSIGN_OR_RETURN(const TaskId task, ParseTaskName(header.task(), "header.task"));
  std::unique_ptr<Delivery> delivery(new Delivery(*this, task, header.token()));
  bool held = false, sees_spool = false;
  {
    std::lock_guard lock(mutex_);
    const Lease* lease = FindLease(task, header.token());
    held = lease != nullptr && !lease->over;
    if (held) {
      if (lease->worker != worker || !IsKnown(worker, account)) return Stale(header.task(), header.token());
      delivery->outputs_ = {lease->task.outputs().begin(), lease->task.outputs().end()};
      sees_spool = !lease->task.scratch_path().empty();
    }
  }
  if (!held) {
    ASSIGN_OR_RETURN(const JobManager::Completion completion, jobs_.CheckDelivery(task, header.token()));
    if (completion != JobManager::Completion::kDone) return Stale(header.task(), header.token());
    delivery->already_done_ = true;
    return delivery;
  }
  for (const v1::OutputPiece& piece : delivery->outputs_) delivery->expected_bytes_ += BytesOf(piece);
  if (delivery->expected_bytes_ == 0) return delivery;
  if (header.in_scratch_file()) {
    if (!sees_spool) return Invalid("header.in_scratch_file", "the worker was not given a scratch file");
    delivery->received_bytes_ = delivery->expected_bytes_;
    return delivery;
  }
  ASSIGN_OR_RETURN(delivery->scratch_, volumes_.OpenScratch(header.token(), true));
  return delivery;
}

absl::Status Delivery::Write(const v1::OutputChunk& chunk) {
  const std::string& data = chunk.data();
  if (data.size() > limits::kChunkBytes) {
    return Invalid("chunk.data", fmt::format("the chunk has {} bytes, more than {}", data.size(), limits::kChunkBytes));
  }
  const auto bytes = std::as_bytes(std::span(data));
  if (Crc32c(bytes) != chunk.crc32c()) {
    return MakeError(
        {.reason = v1::CHECKSUM_MISMATCH, .field = "chunk.crc32c", .remedy = "Deliver again."},
        fmt::format("the chunk at {} of {} arrived damaged", chunk.position(), TaskName(task_.job_id, task_.number)));
  }
  if (already_done_) return absl::OkStatus();
  if (scratch_ == nullptr) return Invalid("chunk", "no bytes of this task come in chunks");
  const auto size = static_cast<int64_t>(data.size());
  if (chunk.position() != static_cast<uint64_t>(received_bytes_) || size > expected_bytes_ - received_bytes_) {
    return Invalid("chunk.position", fmt::format("the chunk at {} of {} bytes does not follow the {} before it, of {}",
                                                 chunk.position(), size, received_bytes_, expected_bytes_));
  }
  RETURN_IF_ERROR(scratch_->WriteAt(received_bytes_, bytes));
  received_bytes_ += size;
  return absl::OkStatus();
}

absl::Status Delivery::Commit(const v1::TaskResult& result) {
  if (already_done_) return absl::OkStatus();
  if (received_bytes_ != expected_bytes_) {
    return Invalid("result", fmt::format("{} bytes of the outputs' {} have arrived", received_bytes_, expected_bytes_));
  }
  ASSIGN_OR_RETURN(const bool held, dispatcher_.StartCommit(task_, token_));
  if (!held) return absl::OkStatus();
  const absl::Status status = dispatcher_.CommitHeld(*this, result);
  dispatcher_.EndCommit(task_, token_, status);
  return status;
}

absl::StatusOr<bool> Dispatcher::StartCommit(const TaskId& task, uint64_t token) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      const Lease* lease = FindLease(task, token);
      return lease == nullptr || !lease->busy;
    });
    Lease* lease = FindLease(task, token);
    if (lease != nullptr && !lease->over) {
      lease->busy = true;
      StopCharge(*lease);
      return true;
    }
  }
  ASSIGN_OR_RETURN(const JobManager::Completion completion, jobs_.CheckDelivery(task, token));
  if (completion == JobManager::Completion::kDone) return false;
  return Stale(TaskName(task.job_id, task.number), token);
}

// Copies every output into its volume. Returns their CRCs, which are those that the worker computed.
absl::StatusOr<std::vector<uint32_t>> Dispatcher::MoveOutputs(const Delivery& delivery, const v1::TaskResult& result) {
  if (result.piece_crc32c_size() != static_cast<int>(delivery.outputs_.size())) {
    return Invalid("result.piece_crc32c", fmt::format("the result has {} checksums for {} outputs",
                                                      result.piece_crc32c_size(), delivery.outputs_.size()));
  }
  std::vector<uint32_t> checksums;
  int64_t offset = 0;
  for (const v1::OutputPiece& piece : delivery.outputs_) {
    ASSIGN_OR_RETURN(const std::string volume, VolumeId(piece.volume(), "outputs"));
    ASSIGN_OR_RETURN(const VolumeRecord record, store_.GetVolume(volume));
    ASSIGN_OR_RETURN(const uint32_t checksum,
                     volumes_.Transfer(delivery.token_, offset, volume, record.spec, ToFrameBox(piece.box())));
    const uint32_t announced = result.piece_crc32c(static_cast<int>(checksums.size()));
    if (checksum != announced) {
      return MakeError(
          {.reason = v1::CHECKSUM_MISMATCH, .field = "result.piece_crc32c"},
          fmt::format("output {} of {} has CRC-32C {:08x}, but the worker computed {:08x}", checksums.size(),
                      TaskName(delivery.task_.job_id, delivery.task_.number), checksum, announced));
    }
    checksums.push_back(checksum);
    offset += BytesOf(piece);
  }
  return checksums;
}

absl::Status Dispatcher::CommitHeld(const Delivery& delivery, const v1::TaskResult& result) {
  CrashPoint("deliver-before-transfer");
  const absl::StatusOr<std::vector<uint32_t>> checksums = MoveOutputs(delivery, result);
  if (!checksums.ok()) {
    // The volumes are gone when the job has been cancelled meanwhile: that is why, whatever went wrong.
    RETURN_IF_ERROR(jobs_.CheckDelivery(delivery.task_, delivery.token_).status());
    return checksums.status();
  }
  CrashPoint("deliver-before-commit");
  RETURN_IF_ERROR(
      jobs_.Complete(delivery.task_, delivery.token_, result, *checksums, SpendingOf(delivery.task_, delivery.token_)));
  CrashPoint("deliver-after-commit");
  return absl::OkStatus();
}

void Dispatcher::EndCommit(const TaskId& task, uint64_t token, const absl::Status& status) {
  {
    std::lock_guard lock(mutex_);
    Lease* lease = FindLease(task, token);
    WorkerEntry* worker = workers_.contains(lease->worker) ? &workers_[lease->worker] : nullptr;
    if (status.ok()) {
      if (worker != nullptr) ++worker->tasks_done;
      shares_.Learn(lease->job.owner, lease->job.job_class, absl::FromChrono(lease->computed));
      EraseLease(token);
    } else {
      lease->busy = false;
      if (!lease->over && (SpoilsAttempt(status) || ReasonOf(status) == v1::STALE_LEASE)) {
        lease->over = TaskFailure{.error = status};
        if (worker != nullptr && SpoilsAttempt(status)) ++worker->tasks_failed;
      }
    }
  }
  if (status.ok()) volumes_.RemoveScratch(token);
  Wake();
  HandBack(task, token);
}

}  // namespace deconvoy::server
