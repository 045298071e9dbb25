// What the fake service keeps, and how its volumes are written and read. Only for fake_service.cc.
#pragma once

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "deconvoy/v1/models.pb.h"
#include "deconvoy/v1/volumes.grpc.pb.h"
#include "proto/contract/byte_volume.h"
#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/prepared_psf.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"

#include "tests/support/fake_service.h"

namespace deconvoy::testing {
inline grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message()), SerializedInfo(status)};
}

inline grpc::Status Broken() {
  return {grpc::StatusCode::UNAVAILABLE, "the connection broke"};
}

inline grpc::Status NoSuch(const std::string& name) {
  return ToGrpc(MakeError({.reason = v1::NOT_FOUND}, fmt::format("there is no {}", name)));
}

inline Shape5 ShapeOf(const v1::VolumeSpec& spec) {
  return *ToShape(spec.shape(), spec.type(), "shape");
}

inline bool IsCommitted(const FakeVolume& volume, const v1::Box& box) {
  return std::any_of(volume.committed.begin(), volume.committed.end(),
                     [&box](const v1::Box& one) { return ToFrameBox(one) == ToFrameBox(box); });
}

inline void Commit(FakeVolume& volume, const v1::Chunk& chunk) {
  if (!IsCommitted(volume, chunk.box())) {
    volume.committed.push_back(chunk.box());
    volume.volume.set_committed_bytes(volume.volume.committed_bytes() + chunk.data().size());
  }
  const auto put = [&](const ByteRun& run) {
    std::memcpy(volume.bytes.data() + run.volume_offset, chunk.data().data() + run.box_offset,
                static_cast<size_t>(run.bytes));
    return absl::OkStatus();
  };
  const v1::VolumeSpec& spec = volume.volume.spec();
  (void)ForEachRun(ShapeOf(spec), spec.type(), ToFrameBox(chunk.box()), put);
}

inline std::vector<FrameBox> Frames(const Shape5& shape) {
  std::vector<FrameBox> frames;
  for (int64_t t = 0; t < shape.t; ++t)
    for (int64_t c = 0; c < shape.c; ++c) frames.push_back({t, c, {{}, shape.frame()}});
  return frames;
}

// The pieces of a client's upload that have not come: as good a list of missing boxes as any.
inline void ListMissing(FakeVolume& volume) {
  const v1::VolumeSpec& spec = volume.volume.spec();
  volume.volume.clear_missing();
  for (const FrameBox& frame : Frames(ShapeOf(spec)))
    (void)ForEachPiece(frame, spec.type(), limits::kChunkBytes, [&volume](const FrameBox& piece) {
      if (const v1::Box box = ToProto(piece); !IsCommitted(volume, box) && volume.volume.missing_size() < 1000)
        *volume.volume.add_missing() = box;
      return absl::OkStatus();
    });
}

inline v1::Chunk MakeChunk(const FakeVolume& volume, const FrameBox& box) {
  const v1::VolumeSpec& spec = volume.volume.spec();
  v1::Chunk chunk;
  *chunk.mutable_box() = ToProto(box);
  (void)ForEachRun(ShapeOf(spec), spec.type(), box, [&](const ByteRun& run) {
    chunk.mutable_data()->append(volume.bytes, static_cast<size_t>(run.volume_offset), static_cast<size_t>(run.bytes));
    return absl::OkStatus();
  });
  chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
  return chunk;
}

struct FakeService::State {
  struct Fault {
    int times = 0;
    absl::Status error;
  };
  // A session of recording software.
  struct Recording {
    std::string header;  // serialised, without the boxes received
    std::string input, job;
  };

  mutable std::mutex mutex;
  std::condition_variable changed;
  // All guarded by mutex.
  uint32_t contract_version = limits::kContractVersion;
  std::vector<v1::Method> methods;
  int workers = 1;
  std::map<std::string, Fault> faults;
  std::map<std::string, int> lost_answers;
  std::map<std::string, std::vector<int>> breaks;
  std::optional<std::pair<uint64_t, absl::Status>> failing_commit;
  std::optional<int> corrupt_chunk;
  std::vector<v1::JobEvent> events;
  absl::Status outcome;
  std::vector<v1::PsfReport> psf_reports;
  bool hold = false;
  bool hold_writes = false;
  std::optional<v1::Preview> preview;
  bool stopping = false;
  std::map<std::string, int> calls;
  std::map<std::string, std::vector<std::string>> request_ids;
  std::map<std::string, std::string> by_request;  // request id to name
  std::map<std::string, Recording> sessions;
  std::map<std::string, FakeVolume> volumes;
  std::map<std::string, v1::Job> jobs;
  std::vector<v1::JobSpec> submitted;
  std::map<std::string, v1::Psf> psfs;
  std::map<std::string, int64_t> last_versions;  // by PSF's id
  std::map<std::string, v1::Model> models;
  std::map<std::string, int64_t> last_model_versions;  // by id
  uint64_t chunks = 0;
  uint64_t packed_chunks = 0;
  int next_id = 0;

  // Counts the call; the fault that it is to fail with, if any. REQUIRES: mutex held.
  grpc::Status Enter(const std::string& call) {
    ++calls[call];
    Fault& fault = faults[call];
    if (fault.times == 0) return grpc::Status::OK;
    --fault.times;
    return ToGrpc(fault.error);
  }

  grpc::Status Leave(const std::string& call) {
    if (lost_answers[call] == 0) return grpc::Status::OK;
    --lost_answers[call];
    return Broken();
  }

  // After how many messages the stream now opened breaks; -1 for never.
  int NextBreak(const std::string& call) {
    auto& list = breaks[call];
    if (list.empty()) return -1;
    const int after = list.front();
    list.erase(list.begin());
    return after;
  }

  // The volume that was created with the same digest; empty where there is none. REQUIRES: mutex held.
  std::string Announced(const v1::VolumeSpec& spec) const {
    if (spec.digest().empty()) return "";
    for (const auto& [name, volume] : volumes) {
      if (volume.volume.spec().digest() == spec.digest()) return name;
    }
    return "";
  }

  std::string AddVolume(const v1::VolumeSpec& spec) {
    FakeVolume volume;
    volume.volume.set_name(fmt::format("volumes/v{}", ++next_id));
    *volume.volume.mutable_spec() = spec;
    volume.volume.set_state(v1::WRITING);
    volume.volume.set_size_bytes(static_cast<uint64_t>(VolumeBytes(ShapeOf(spec), spec.type())));
    volume.bytes.resize(volume.volume.size_bytes());
    ListMissing(volume);
    const std::string name = volume.volume.name();
    volumes[name] = std::move(volume);
    return name;
  }

  // The newest version of `psfs/{id}`, or the one named; null where there is none.
  const v1::Psf* FindPsf(const std::string& name) {
    const auto id = ParsePsfName(name, "psf");
    if (!id.ok()) return nullptr;
    const int64_t number = id->version > 0 ? id->version : last_versions[id->id];
    const auto found = psfs.find(PsfName({id->id, number}));
    return found == psfs.end() ? nullptr : &found->second;
  }

  // Null where it is not there, or the job prepares none.
  const v1::VolumeSpec* PsfToPrepare(const v1::JobSpec& spec) {
    if (!spec.has_prepare_psf()) return nullptr;
    const std::string& name = spec.prepare_psf().psf_volume();
    const v1::Psf* kept = IsOfPsf(name) ? FindPsf(name) : nullptr;
    const auto volume = volumes.find(kept == nullptr ? name : kept->volume());
    return volume == volumes.end() ? nullptr : &volume->second.volume.spec();
  }

  // The PSF that keeps the volume; null where none does.
  const v1::Psf* KeeperOf(const std::string& volume) {
    for (const auto& [name, psf] : psfs)
      if (psf.volume() == volume) return &psf;
    return nullptr;
  }

  grpc::Status Keep(const v1::CreatePsfRequest& request, v1::Psf& psf) {
    const auto volume = volumes.find(request.volume());
    if (volume == volumes.end()) return NoSuch(request.volume());
    if (const v1::Psf* keeper = KeeperOf(request.volume())) return Kept(*keeper);
    psf.set_name(PsfName({request.psf_id(), ++last_versions[request.psf_id()]}));
    psf.set_volume(request.volume());
    *psf.mutable_spec() = volume->second.volume.spec();
    psf.set_description(request.description());
    *psf.mutable_optics() = request.optics();
    psf.set_microscopy(request.microscopy());
    psfs[psf.name()] = psf;
    return grpc::Status::OK;
  }

  static grpc::Status Kept(const v1::Psf& psf) {
    return ToGrpc(MakeError({.reason = v1::VOLUME_IN_USE, .metadata = {{"psf", psf.name()}}},
                            fmt::format("{} is kept as {}", psf.volume(), psf.name())));
  }

  void AddOutput(v1::Job& job, const std::string& role, const v1::VolumeSpec& spec, const std::string& bytes) {
    const std::string name = AddVolume(spec);
    volumes[name].volume.set_state(v1::COMPLETE);
    volumes[name].volume.clear_missing();
    if (bytes.size() == volumes[name].bytes.size()) volumes[name].bytes = bytes;
    v1::JobOutput& output = *job.add_outputs();
    output.set_role(role);
    output.set_volume(name);
  }

  void AddOutputs(v1::Job& job) {
    if (job.spec().has_model_psf()) {
      const v1::Voxel3& shape = job.spec().model_psf().shape();
      v1::VolumeSpec psf;
      *psf.mutable_shape() = ToProto(Shape5{1, 1, shape.z(), shape.y(), shape.x()});
      psf.set_type(v1::F32);
      AddOutput(job, "psf", psf, "");
    }
    if (const v1::VolumeSpec* psf = PsfToPrepare(job.spec()); psf != nullptr) {
      AddOutput(job, "psf", PreparedPsfVolume(job.spec().prepare_psf(), *psf), "");
    }
    if (!job.spec().has_deconvolve()) return;
    const FakeVolume input = volumes.at(job.spec().deconvolve().input_volume());
    v1::VolumeSpec spec = input.volume.spec();
    spec.set_type(job.spec().deconvolve().output_type());
    AddOutput(job, "estimate", spec, input.bytes);
  }

  // A job that imports or exports a file, as valid as its specification; what it imports is a small stack.
  grpc::Status AddFileJob(const v1::JobSpec& spec, std::string* name) {
    if (auto bad = ValidateJobSpec(spec); !bad.ok()) return ToGrpc(bad);
    if (spec.has_export_file() && !volumes.contains(spec.export_file().volume())) {
      return NoSuch(spec.export_file().volume());
    }
    *name = fmt::format("jobs/j{}", ++next_id);
    v1::Job& job = jobs[*name];
    job.set_name(*name);
    *job.mutable_spec() = spec;
    job.set_state(v1::PENDING);
    if (!spec.has_import_file()) return grpc::Status::OK;
    v1::VolumeSpec volume;
    *volume.mutable_shape() = ToProto(Shape5{1, 2, 3, 8, 9});
    volume.set_type(v1::F32);
    volume.set_display_name(spec.import_file().file());
    *volume.mutable_voxel_size() = spec.import_file().voxel_size();
    AddOutput(job, "volume", volume, "");
    return grpc::Status::OK;
  }

  // Sends boxes of a volume as they are committed. REQUIRES: `lock` holds the mutex.
  grpc::Status Follow(const v1::ReadVolumeRequest& request, int after, std::unique_lock<std::mutex>& lock,
                      grpc::ServerWriter<v1::ReadVolumeResponse>& writer) {
    const auto wanted = [&request](const FrameBox& box) {
      return request.regions().empty() ||
             std::any_of(request.regions().begin(), request.regions().end(), [&box](const v1::Box& one) {
               const FrameBox region = ToFrameBox(one);
               return region.t == box.t && region.c == box.c && !Intersect(region.box, box.box).empty();
             });
    };
    size_t seen = 0;
    for (int sent = 0;; changed.wait_for(lock, std::chrono::milliseconds(2))) {
      const auto found = volumes.find(request.volume());
      if (found == volumes.end()) return ToGrpc(MakeError({.reason = v1::VOLUME_GONE}, "the volume has gone"));
      if (stopping) return Broken();
      const FakeVolume& volume = found->second;
      for (; seen < volume.committed.size(); ++seen) {
        const FrameBox box = ToFrameBox(volume.committed[seen]);
        if (!wanted(box)) continue;
        if (sent++ == after) return Broken();
        v1::ReadVolumeResponse response;
        *response.mutable_chunk() = MakeChunk(volume, box);
        if (!writer.Write(response)) return Broken();
      }
      if (volume.volume.state() == v1::COMPLETE) return grpc::Status::OK;
    }
  }

  // What a check finds of a model's file: its digest.
  void Check(v1::Job& job) {
    const absl::StatusOr<std::string_view> file =
        FromFrameBytes(volumes.at(job.spec().check_model().model_volume()).bytes);
    if (!file.ok()) return;
    Sha256 digest;
    digest.Update(std::as_bytes(std::span(*file)));
    const Sha256Digest sum = digest.Finish();
    job.mutable_model()->set_digest(std::string(reinterpret_cast<const char*>(sum.data()), sum.size()));
  }

  void End(v1::Job& job) {
    if (job.state() == v1::CANCELLED) return;
    job.set_state(outcome.ok() ? v1::SUCCEEDED : v1::FAILED);
    if (outcome.ok() && job.spec().has_check_model()) Check(job);
    if (!outcome.ok()) *job.mutable_error() = ToStored(outcome);
    if (!outcome.ok() || !(job.spec().has_deconvolve() || job.spec().has_check_psf())) return;
    job.mutable_psfs()->Assign(psf_reports.begin(), psf_reports.end());
  }
};

}  // namespace deconvoy::testing
