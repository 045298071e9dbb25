#include "tests/support/fake_service.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "deconvoy/v1/admin.grpc.pb.h"
#include "deconvoy/v1/methods.grpc.pb.h"
#include "deconvoy/v1/psfs.grpc.pb.h"
#include "deconvoy/v1/volumes.grpc.pb.h"
#include "proto/contract/compression.h"
#include "proto/contract/limits.h"
#include "proto/contract/psf_library.h"
#include "tests/support/fake_deconvolution.h"
#include "tests/support/fake_jobs.h"
#include "tests/support/fake_models.h"
#include "tests/support/fake_service_state.h"

namespace deconvoy::testing {

struct FakeService::Services {
  struct Volumes final : v1::Volumes::Service {
    explicit Volumes(State& s) : state(s) {}

    grpc::Status Create(grpc::ServerContext*, const v1::CreateVolumeRequest* request, v1::Volume* response) override {
      const std::lock_guard lock(state.mutex);
      state.request_ids["Volumes.Create"].push_back(request->request_id());
      if (auto fault = state.Enter("Volumes.Create"); !fault.ok()) return fault;
      if (auto bad = ValidateVolumeSpec(request->spec()); !bad.ok()) return ToGrpc(bad);
      std::string& name = state.by_request[request->request_id()];
      if (name.empty()) name = state.Announced(request->spec());
      if (name.empty()) name = state.AddVolume(request->spec());
      ListMissing(state.volumes.at(name));
      *response = state.volumes.at(name).volume;
      return state.Leave("Volumes.Create");
    }

    grpc::Status Write(grpc::ServerContext*,
                       grpc::ServerReaderWriter<v1::WriteVolumeResponse, v1::WriteVolumeRequest>* stream) override {
      std::string name;
      int after = -1;
      std::optional<std::pair<uint64_t, absl::Status>> failing;
      {
        const std::lock_guard lock(state.mutex);
        if (auto fault = state.Enter("Volumes.Write"); !fault.ok()) return fault;
        after = state.NextBreak("Volumes.Write");
        failing = std::exchange(state.failing_commit, std::nullopt);
      }
      v1::WriteVolumeRequest request;
      for (uint64_t count = 1; stream->Read(&request); ++count) {
        if (!request.volume().empty()) name = request.volume();
        if (after >= 0 && count > static_cast<uint64_t>(after)) return Broken();
        v1::WriteVolumeResponse response;
        if (failing && count > failing->first) {
          response.set_chunks_committed(failing->first);
          if (count == failing->first + 1) stream->Write(response);
          continue;
        }
        if (auto status = Take(name, request.chunk(), response); !status.ok()) return status;
        response.set_chunks_committed(count);
        stream->Write(response);
      }
      return failing ? ToGrpc(failing->second) : grpc::Status::OK;
    }

    grpc::Status Take(const std::string& name, v1::Chunk chunk, v1::WriteVolumeResponse& response) {
      const std::lock_guard lock(state.mutex);
      ++state.chunks;
      state.packed_chunks += chunk.compression() != v1::COMPRESSION_UNSPECIFIED ? 1 : 0;
      const auto found = state.volumes.find(name);
      if (found == state.volumes.end()) return NoSuch(name);
      if (auto bad = Unpack(chunk, found->second.volume.spec()); !bad.ok()) return ToGrpc(bad);
      if (auto bad = ValidateChunk(chunk, found->second.volume.spec()); !bad.ok()) return ToGrpc(bad);
      Commit(found->second, chunk);
      response.set_committed_bytes(found->second.volume.committed_bytes());
      return grpc::Status::OK;
    }

    grpc::Status Finish(grpc::ServerContext*, const v1::FinishVolumeRequest* request, v1::Volume* response) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Volumes.Finish"); !fault.ok()) return fault;
      const auto found = state.volumes.find(request->volume());
      if (found == state.volumes.end()) return NoSuch(request->volume());
      FakeVolume& volume = found->second;
      if (volume.volume.state() == v1::COMPLETE)
        return ToGrpc(MakeError({.reason = v1::VOLUME_COMPLETE}, "the volume is complete"));
      if (volume.volume.committed_bytes() != volume.volume.size_bytes())
        return ToGrpc(MakeError({.reason = v1::VOLUME_INCOMPLETE}, "boxes are missing"));
      volume.digest = request->digest();
      volume.volume.set_state(v1::COMPLETE);
      *response = volume.volume;
      return state.Leave("Volumes.Finish");
    }

    grpc::Status Get(grpc::ServerContext*, const v1::GetVolumeRequest* request, v1::Volume* response) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Volumes.Get"); !fault.ok()) return fault;
      const auto found = state.volumes.find(request->volume());
      if (found == state.volumes.end()) return NoSuch(request->volume());
      ListMissing(found->second);
      *response = found->second.volume;
      return grpc::Status::OK;
    }

    grpc::Status Read(grpc::ServerContext*, const v1::ReadVolumeRequest* request,
                      grpc::ServerWriter<v1::ReadVolumeResponse>* writer) override {
      std::unique_lock lock(state.mutex);
      if (auto fault = state.Enter("Volumes.Read"); !fault.ok()) return fault;
      const int after = state.NextBreak("Volumes.Read");
      const auto found = state.volumes.find(request->volume());
      if (found == state.volumes.end()) return NoSuch(request->volume());
      if (request->follow() && found->second.volume.state() != v1::COMPLETE)
        return state.Follow(*request, after, lock, *writer);
      const FakeVolume volume = found->second;
      std::optional<int> corrupt = std::exchange(state.corrupt_chunk, std::nullopt);
      lock.unlock();
      std::vector<FrameBox> regions = Frames(ShapeOf(volume.volume.spec()));
      if (request->regions_size() > 0) regions.clear();
      for (const v1::Box& region : request->regions()) regions.push_back(ToFrameBox(region));
      int sent = 0;
      for (const FrameBox& region : regions) {
        const auto status = ForEachPiece(
            region, volume.volume.spec().type(), limits::kChunkBytes, [&](const FrameBox& piece) -> absl::Status {
              if (sent == after) return absl::UnavailableError("the connection broke");
              v1::ReadVolumeResponse response;
              *response.mutable_chunk() = MakeChunk(volume, piece);
              if (request->accept_size() > 0) {
                Pack(*response.mutable_chunk(), static_cast<v1::Compression>(request->accept(0)));
                const std::lock_guard again(state.mutex);
                state.packed_chunks += response.chunk().compression() != v1::COMPRESSION_UNSPECIFIED ? 1 : 0;
              }
              if (sent == corrupt) response.mutable_chunk()->mutable_data()->front() ^= 1;
              ++sent;
              return writer->Write(response) ? absl::OkStatus() : absl::CancelledError("the reader left");
            });
        if (!status.ok()) return ToGrpc(status);
      }
      return grpc::Status::OK;
    }

    grpc::Status Import(grpc::ServerContext*, const v1::ImportVolumeRequest* request,
                        v1::ImportVolumeResponse* response) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Volumes.Import"); !fault.ok()) return fault;
      v1::JobSpec spec;
      spec.mutable_import_file()->set_file(request->file());
      if (request->has_voxel_size()) *spec.mutable_import_file()->mutable_voxel_size() = request->voxel_size();
      return state.AddFileJob(spec, response->mutable_job());
    }

    grpc::Status Export(grpc::ServerContext*, const v1::ExportVolumeRequest* request,
                        v1::ExportVolumeResponse* response) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Volumes.Export"); !fault.ok()) return fault;
      v1::JobSpec spec;
      spec.mutable_export_file()->set_volume(request->volume());
      spec.mutable_export_file()->set_file(request->file());
      spec.mutable_export_file()->set_overwrite(request->overwrite());
      spec.mutable_export_file()->set_compression(request->compression());
      return state.AddFileJob(spec, response->mutable_job());
    }

    grpc::Status List(grpc::ServerContext*, const v1::ListVolumesRequest*, v1::ListVolumesResponse* response) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Volumes.List"); !fault.ok()) return fault;
      for (const auto& [name, volume] : state.volumes) *response->add_volumes() = volume.volume;
      return grpc::Status::OK;
    }

    grpc::Status Delete(grpc::ServerContext*, const v1::DeleteVolumeRequest* request,
                        v1::DeleteVolumeResponse*) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Volumes.Delete"); !fault.ok()) return fault;
      if (const v1::Psf* keeper = state.KeeperOf(request->volume())) return State::Kept(*keeper);
      for (const auto& [name, model] : state.models)
        if (model.volume() == request->volume())
          return ToGrpc(MakeError({.reason = v1::VOLUME_IN_USE}, fmt::format("it is kept as {}", name)));
      return state.volumes.erase(request->volume()) > 0 ? grpc::Status::OK : NoSuch(request->volume());
    }

    State& state;
  };

  struct Psfs final : v1::Psfs::Service {
    explicit Psfs(State& s) : state(s) {}
    grpc::Status Create(grpc::ServerContext*, const v1::CreatePsfRequest* request, v1::Psf* response) override {
      const std::lock_guard lock(state.mutex);
      state.request_ids["Psfs.Create"].push_back(request->request_id());
      if (auto fault = state.Enter("Psfs.Create"); !fault.ok()) return fault;
      if (auto bad = ValidateCreatePsf(*request); !bad.ok()) return ToGrpc(bad);
      std::string& name = state.by_request[request->request_id()];
      if (name.empty()) {
        v1::Psf psf;
        if (auto status = state.Keep(*request, psf); !status.ok()) return status;
        name = psf.name();
      }
      *response = state.psfs.at(name);
      return state.Leave("Psfs.Create");
    }
    grpc::Status Get(grpc::ServerContext*, const v1::GetPsfRequest* request, v1::Psf* response) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Psfs.Get"); !fault.ok()) return fault;
      const v1::Psf* psf = state.FindPsf(request->psf());
      if (psf == nullptr) return NoSuch(request->psf());
      *response = *psf;
      return grpc::Status::OK;
    }
    grpc::Status List(grpc::ServerContext*, const v1::ListPsfsRequest* request,
                      v1::ListPsfsResponse* response) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Psfs.List"); !fault.ok()) return fault;
      for (auto psf = state.psfs.rbegin(); psf != state.psfs.rend(); ++psf)
        if (request->psf().empty() || psf->first.starts_with(request->psf() + "/")) *response->add_psfs() = psf->second;
      return grpc::Status::OK;
    }
    grpc::Status Delete(grpc::ServerContext*, const v1::DeletePsfRequest* request, v1::DeletePsfResponse*) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Psfs.Delete"); !fault.ok()) return fault;
      const size_t removed = std::erase_if(state.psfs, [&](const auto& psf) {
        const bool mine = psf.first == request->psf() || psf.first.starts_with(request->psf() + "/");
        if (mine) state.volumes.erase(psf.second.volume());
        return mine;
      });
      return removed > 0 ? grpc::Status::OK : NoSuch(request->psf());
    }
    State& state;
  };

  struct Methods final : v1::Methods::Service {
    explicit Methods(State& s) : state(s) {}
    grpc::Status List(grpc::ServerContext*, const v1::ListMethodsRequest*, v1::ListMethodsResponse* response) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Methods.List"); !fault.ok()) return fault;
      for (const v1::Method& method : state.methods) *response->add_methods() = method;
      return grpc::Status::OK;
    }
    State& state;
  };

  struct Admin final : v1::Admin::Service {
    explicit Admin(State& s) : state(s) {}
    grpc::Status GetServerInfo(grpc::ServerContext*, const v1::GetServerInfoRequest*,
                               v1::ServerInfo* response) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Admin.GetServerInfo"); !fault.ok()) return fault;
      response->set_contract_version(state.contract_version);
      response->set_version("9.8.7");
      response->add_file_roots()->set_name("data");
      v1::FileRoot& results = *response->add_file_roots();
      results.set_name("results");
      results.set_writable(true);
      return grpc::Status::OK;
    }
    grpc::Status ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest*,
                             v1::ListWorkersResponse* response) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Admin.ListWorkers"); !fault.ok()) return fault;
      for (int i = 0; i < state.workers; ++i) {
        v1::Worker& worker = *response->add_workers();
        worker.set_name(fmt::format("workers/w{}", i));
        for (const uint32_t processor : {8U, 0U, 1U, 2U}) worker.mutable_registration()->add_processors(processor);
        worker.set_state(v1::IDLE);
        worker.mutable_registration()->set_backend(i == 0 ? "cpu" : "cuda");
        if (i == 0) continue;
        v1::Accelerator& card = *worker.mutable_registration()->mutable_accelerator();
        card.set_name("Card");
        card.set_uuid("GPU-8c1f02ab-1111");
        card.set_memory_bytes(80'000'000'000);
        card.set_driver("CUDA 13.0");
      }
      return grpc::Status::OK;
    }
    grpc::Status DrainWorker(grpc::ServerContext*, const v1::DrainWorkerRequest* request,
                             v1::Worker* response) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Admin.DrainWorker"); !fault.ok()) return fault;
      if (request->worker() != "workers/w0") return NoSuch(request->worker());
      response->set_name(request->worker());
      response->set_state(request->drain() ? v1::DRAINING : v1::IDLE);
      return grpc::Status::OK;
    }
    grpc::Status PauseServer(grpc::ServerContext*, const v1::PauseServerRequest* request,
                             v1::ServerInfo* response) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Admin.PauseServer"); !fault.ok()) return fault;
      response->set_paused(request->pause());
      response->set_tasks_ready(7);
      return grpc::Status::OK;
    }
    // Of the changes only that of the weight is answered.
    grpc::Status UpdateUser(grpc::ServerContext*, const v1::UpdateUserRequest* request, v1::User* response) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Admin.UpdateUser"); !fault.ok()) return fault;
      response->set_name(request->user().name());
      if (request->fields_size() == 1 && request->fields(0) == "weight") response->set_weight(request->user().weight());
      return grpc::Status::OK;
    }
    // There is one, which answers what it is to weigh.
    grpc::Status SetGroupWeight(grpc::ServerContext*, const v1::SetGroupWeightRequest* request,
                                v1::Group* response) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Admin.SetGroupWeight"); !fault.ok()) return fault;
      if (request->group() != "imaging") return NoSuch(request->group());
      response->set_name(request->group());
      response->set_weight(request->weight());
      return grpc::Status::OK;
    }
    grpc::Status ListGroups(grpc::ServerContext*, const v1::ListGroupsRequest* request,
                            v1::ListGroupsResponse* response) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Admin.ListGroups"); !fault.ok()) return fault;
      const bool first = request->page_token().empty();
      response->add_groups()->set_name(first ? "imaging" : "=zoo\x1b");
      if (first) response->set_next_page_token("more");
      return grpc::Status::OK;
    }
    // Two rows, of the months that were asked for.
    grpc::Status ExportUsage(grpc::ServerContext*, const v1::ExportUsageRequest* request,
                             v1::ExportUsageResponse* response) override {
      const std::lock_guard lock(state.mutex);
      if (auto fault = state.Enter("Admin.ExportUsage"); !fault.ok()) return fault;
      for (const std::string& month : {request->first_month(), request->last_month()}) {
        v1::Usage& usage = *response->add_usage();
        usage.set_user("users/alice");
        usage.set_group("=lab,\"A\"");
        usage.set_month(month);
        usage.set_worker_seconds(5400.25);
        usage.set_tasks(3);
        usage.set_bytes_in(2'000'000);
      }
      return grpc::Status::OK;
    }
    State& state;
  };

  explicit Services(State& state)
      : volumes(state), jobs(state), psfs(state), models(state), deconvolution(state), methods(state), admin(state) {}

  TemporaryFolder folder;
  std::string address = "unix:" + (folder.path() / "s").string();
  Volumes volumes;
  FakeJobs jobs;
  Psfs psfs;
  FakeModels models;
  FakeDeconvolution deconvolution;
  Methods methods;
  Admin admin;
  std::unique_ptr<grpc::Server> server;
};

FakeService::FakeService() : state_(std::make_unique<State>()), services_(std::make_unique<Services>(*state_)) {
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits::kMessageBytes));
  builder.AddListeningPort(services_->address, grpc::InsecureServerCredentials());
  builder.RegisterService(&services_->volumes)
      .RegisterService(&services_->jobs)
      .RegisterService(&services_->psfs)
      .RegisterService(&services_->models)
      .RegisterService(&services_->deconvolution)
      .RegisterService(&services_->methods)
      .RegisterService(&services_->admin);
  services_->server = builder.BuildAndStart();
}

FakeService::~FakeService() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_all();
  }
  services_->server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
}

const std::string& FakeService::address() const {
  return services_->address;
}

void FakeService::SetContractVersion(uint32_t version) {
  const std::lock_guard lock(state_->mutex);
  state_->contract_version = version;
}

void FakeService::SetMethods(std::vector<v1::Method> methods) {
  const std::lock_guard lock(state_->mutex);
  state_->methods = std::move(methods);
}

void FakeService::SetWorkers(int count) {
  const std::lock_guard lock(state_->mutex);
  state_->workers = count;
}

void FakeService::FailNext(const std::string& call, int times, const absl::Status& error) {
  const std::lock_guard lock(state_->mutex);
  state_->faults[call] = {times, error};
}

void FakeService::LoseAnswerOf(const std::string& call) {
  const std::lock_guard lock(state_->mutex);
  state_->lost_answers[call] = 1;
}

void FakeService::BreakStreams(const std::string& call, std::vector<int> after) {
  const std::lock_guard lock(state_->mutex);
  state_->breaks[call] = std::move(after);
}

void FakeService::FailCommit(uint64_t after, const absl::Status& error) {
  const std::lock_guard lock(state_->mutex);
  state_->failing_commit = {after, error};
}

void FakeService::HoldWrites(bool hold) {
  const std::lock_guard lock(state_->mutex);
  state_->hold_writes = hold;
  state_->changed.notify_all();
}

void FakeService::CorruptRead(int chunk) {
  const std::lock_guard lock(state_->mutex);
  state_->corrupt_chunk = chunk;
}

void FakeService::SetEvents(std::vector<v1::JobEvent> events) {
  const std::lock_guard lock(state_->mutex);
  state_->events = std::move(events);
}

void FakeService::SetOutcome(const absl::Status& outcome) {
  const std::lock_guard lock(state_->mutex);
  state_->outcome = outcome;
}

void FakeService::SetPsfReports(std::vector<v1::PsfReport> reports) {
  const std::lock_guard lock(state_->mutex);
  state_->psf_reports = std::move(reports);
}

void FakeService::SetPreview(const v1::Preview& preview) {
  const std::lock_guard lock(state_->mutex);
  state_->preview = preview;
}

void FakeService::HoldJobs() {
  const std::lock_guard lock(state_->mutex);
  state_->hold = true;
}

int FakeService::calls(const std::string& call) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->calls.find(call);
  return found == state_->calls.end() ? 0 : found->second;
}

std::vector<std::string> FakeService::request_ids(const std::string& call) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->request_ids.find(call);
  return found == state_->request_ids.end() ? std::vector<std::string>() : found->second;
}

std::map<std::string, FakeVolume> FakeService::volumes() const {
  const std::lock_guard lock(state_->mutex);
  return state_->volumes;
}

std::map<std::string, v1::Job> FakeService::jobs() const {
  const std::lock_guard lock(state_->mutex);
  return state_->jobs;
}

std::vector<v1::JobSpec> FakeService::submitted() const {
  const std::lock_guard lock(state_->mutex);
  return state_->submitted;
}

std::map<std::string, v1::Psf> FakeService::psfs() const {
  const std::lock_guard lock(state_->mutex);
  return state_->psfs;
}

std::map<std::string, v1::Model> FakeService::models() const {
  const std::lock_guard lock(state_->mutex);
  return state_->models;
}

uint64_t FakeService::chunks_received() const {
  const std::lock_guard lock(state_->mutex);
  return state_->chunks;
}

uint64_t FakeService::packed_chunks() const {
  const std::lock_guard lock(state_->mutex);
  return state_->packed_chunks;
}

}  // namespace deconvoy::testing
