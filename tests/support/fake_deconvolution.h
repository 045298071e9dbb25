// The fake service's call for recording software. Only for fake_service.cc.
#pragma once

#include <set>
#include <string>
#include <utility>

#include "deconvoy/v1/deconvolution.grpc.pb.h"
#include "tests/support/fake_service_state.h"

namespace deconvoy::testing {

// Each plane of the input, once it is whole, is a finished box of the estimate. Every chunk is acknowledged by itself.
struct FakeDeconvolution final : v1::Deconvolution::Service {
  using Stream = grpc::ServerReaderWriter<v1::DeconvolveResponse, v1::DeconvolveRequest>;

  explicit FakeDeconvolution(FakeService::State& s) : state(s) {}

  grpc::Status Deconvolve(grpc::ServerContext* context, Stream* stream) override {
    v1::DeconvolveRequest request;
    int after = -1;
    {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter(kCall); !fault.ok()) return fault;
      after = state.NextBreak(kCall);
    }
    if (!stream->Read(&request) || !request.has_header()) return grpc::Status::OK;
    Session session;
    if (auto status = Open(request.header(), session, *stream); !status.ok()) return status;
    int chunks = 0;
    while (!session.complete && stream->Read(&request)) {
      if (request.has_finish()) {
        if (auto status = Finish(session, request.finish()); !status.ok()) return status;
        break;
      }
      if (auto status = Take(*context, session, request.chunk()); !status.ok()) return status;
      if (++chunks > after && after >= 0) return Broken();  // the last one is durable, but not acknowledged
      Acknowledge(session, static_cast<uint64_t>(chunks), *stream);
      SendResults(session, *stream);
    }
    return session.complete ? End(*context, session, *stream) : grpc::Status::OK;
  }

 private:
  static constexpr char kCall[] = "Deconvolution.Deconvolve";

  struct Session {
    std::string input, job, estimate;
    bool results = false, complete = false;
    std::set<std::string> sent;  // boxes of the estimate, serialised
  };

  grpc::Status Open(const v1::DeconvolveHeader& header, Session& session, Stream& stream) {
    v1::DeconvolveResponse response;
    v1::SessionOpened& opened = *response.mutable_opened();
    {
      const std::lock_guard lock(state.mutex);
      state.request_ids[kCall].push_back(header.session());
      v1::DeconvolveHeader same = header;
      same.clear_received();
      same.clear_received_series();
      const auto [entry, is_new] = state.sessions.try_emplace(header.session());
      if (is_new) {
        if (auto status = Create(header, entry->second); !status.ok()) {
          state.sessions.erase(entry);
          return status;
        }
        entry->second.header = same.SerializeAsString();
      } else if (entry->second.header != same.SerializeAsString()) {
        return ToGrpc(MakeError({.reason = v1::REQUEST_ID_REUSED}, "the session was opened with another header"));
      }
      session.input = entry->second.input;
      session.job = entry->second.job;
      session.estimate = state.jobs.at(session.job).outputs(0).volume();
      session.results = header.results();
      for (const v1::Box& box : header.received()) session.sent.insert(box.SerializeAsString());
      for (const v1::BoxSeries& series : header.received_series()) {
        v1::Box box = series.box();
        for (uint32_t i = 0; i < series.times(); ++i, box.set_t(box.t() + 1)) {
          session.sent.insert(box.SerializeAsString());
        }
      }
      FakeVolume& input = state.volumes.at(session.input);
      ListMissingPlanes(input);
      session.complete = input.volume.state() == v1::COMPLETE;
      *opened.mutable_input() = input.volume;
      *opened.mutable_job() = state.jobs.at(session.job);
      opened.set_resumed(!is_new);
      opened.set_estimate(session.estimate);
    }
    stream.Write(response);
    SendResults(session, stream);
    return grpc::Status::OK;
  }

  // As a recording sends them: pieces of single planes.
  static void ListMissingPlanes(FakeVolume& volume) {
    const v1::VolumeSpec& spec = volume.volume.spec();
    volume.volume.clear_missing();
    for (FrameBox plane : Frames(ShapeOf(spec))) {
      const int64_t planes = std::exchange(plane.box.shape.z, 1);
      for (; plane.box.origin.z < planes; ++plane.box.origin.z)
        (void)ForEachPiece(plane, spec.type(), limits::kChunkBytes, [&volume](const FrameBox& piece) {
          if (const v1::Box box = ToProto(piece); !IsCommitted(volume, box) && volume.volume.missing_size() < 1000)
            *volume.volume.add_missing() = box;
          return absl::OkStatus();
        });
    }
  }

  // REQUIRES: the mutex is held.
  grpc::Status Create(const v1::DeconvolveHeader& header, FakeService::State::Recording& recording) {
    if (auto bad = ValidateVolumeSpec(header.input()); !bad.ok()) return ToGrpc(bad);
    v1::JobSpec spec = header.job();
    spec.mutable_deconvolve()->set_input_volume("volumes/none");
    if (auto bad = ValidateJobSpec(spec); !bad.ok()) return ToGrpc(bad);
    recording.input = state.AddVolume(header.input());
    spec.mutable_deconvolve()->set_input_volume(recording.input);
    recording.job = fmt::format("jobs/j{}", ++state.next_id);
    v1::Job& job = state.jobs[recording.job];
    job.set_name(recording.job);
    *job.mutable_spec() = spec;
    job.set_state(v1::RUNNING);
    state.AddOutputs(job);
    state.volumes.at(job.outputs(0).volume()).volume.set_state(v1::WRITING);
    return grpc::Status::OK;
  }

  grpc::Status Take(const grpc::ServerContext& context, const Session& session, const v1::Chunk& chunk) {
    std::unique_lock lock(state.mutex);
    while (state.hold_writes && !state.stopping && !context.IsCancelled())
      state.changed.wait_for(lock, std::chrono::milliseconds(5));
    ++state.chunks;
    FakeVolume& input = state.volumes.at(session.input);
    if (auto bad = ValidateChunk(chunk, input.volume.spec()); !bad.ok()) return ToGrpc(bad);
    Commit(input, chunk);
    Compute(session, input, ToFrameBox(chunk.box()));
    state.changed.notify_all();
    return grpc::Status::OK;
  }

  // Copies the plane of the piece into the estimate where all its pieces have come. REQUIRES: the mutex is held.
  void Compute(const Session& session, const FakeVolume& input, const FrameBox& piece) {
    const Shape5 shape = ShapeOf(input.volume.spec());
    FrameBox plane = piece;
    plane.box = {{piece.box.origin.z, 0, 0}, {1, shape.y, shape.x}};
    int64_t voxels = 0;
    for (const v1::Box& box : input.committed) {
      const FrameBox one = ToFrameBox(box);
      if (one.t == plane.t && one.c == plane.c) voxels += Intersect(one.box, plane.box).shape.voxels();
    }
    FakeVolume& estimate = state.volumes.at(session.estimate);
    if (voxels < plane.box.shape.voxels() || IsCommitted(estimate, ToProto(plane))) return;
    estimate.committed.push_back(ToProto(plane));
    if (estimate.bytes.size() != input.bytes.size()) return;
    const auto bytes = static_cast<size_t>(shape.y * shape.x * BytesPerVoxel(input.volume.spec().type()));
    const auto at = static_cast<size_t>((plane.t * shape.c + plane.c) * shape.z + plane.box.origin.z) * bytes;
    estimate.bytes.replace(at, bytes, input.bytes, at, bytes);
  }

  void Acknowledge(const Session& session, uint64_t chunks, Stream& stream) {
    v1::DeconvolveResponse response;
    response.mutable_written()->set_chunks_committed(chunks);
    {
      const std::lock_guard lock(state.mutex);
      response.mutable_written()->set_committed_bytes(state.volumes.at(session.input).volume.committed_bytes());
    }
    stream.Write(response);
  }

  void SendResults(Session& session, Stream& stream) {
    if (!session.results) return;
    FakeVolume estimate;
    {
      const std::lock_guard lock(state.mutex);
      estimate = state.volumes.at(session.estimate);
    }
    const auto send = [&](const FrameBox& piece) {
      v1::DeconvolveResponse response;
      *response.mutable_result() = MakeChunk(estimate, piece);
      stream.Write(response);
      return absl::OkStatus();
    };
    for (const v1::Box& box : estimate.committed) {
      if (!session.sent.insert(box.SerializeAsString()).second) continue;
      (void)ForEachPiece(ToFrameBox(box), estimate.volume.spec().type(), limits::kChunkBytes, send);
      v1::DeconvolveResponse response;
      *response.mutable_finished() = box;
      stream.Write(response);
    }
  }

  grpc::Status Finish(Session& session, const v1::FinishInput& finish) {
    const std::lock_guard lock(state.mutex);
    FakeVolume& input = state.volumes.at(session.input);
    if (input.volume.committed_bytes() != input.volume.size_bytes())
      return ToGrpc(MakeError({.reason = v1::VOLUME_INCOMPLETE}, "boxes are missing"));
    input.digest = finish.digest();
    input.volume.set_state(v1::COMPLETE);
    session.complete = true;
    return grpc::Status::OK;
  }

  grpc::Status End(const grpc::ServerContext& context, Session& session, Stream& stream) {
    v1::DeconvolveResponse response;
    response.mutable_progress()->set_fraction(1);
    stream.Write(response);
    {
      std::unique_lock lock(state.mutex);
      v1::Job& job = state.jobs.at(session.job);
      while (state.hold && !state.stopping && !context.IsCancelled() && job.state() != v1::CANCELLED)
        state.changed.wait_for(lock, std::chrono::milliseconds(5));
      state.End(job);
      if (job.state() == v1::SUCCEEDED) state.volumes.at(session.estimate).volume.set_state(v1::COMPLETE);
      *response.mutable_ended() = job;
      state.changed.notify_all();
    }
    stream.Write(response);
    return grpc::Status::OK;
  }

  FakeService::State& state;
};

}  // namespace deconvoy::testing
