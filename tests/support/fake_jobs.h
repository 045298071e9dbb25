// The fake service's jobs. Only for fake_service.cc.
#pragma once

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <mutex>
#include <string>

#include "deconvoy/v1/jobs.grpc.pb.h"
#include "proto/contract/error.h"
#include "proto/contract/prepared_psf.h"
#include "proto/contract/validation.h"
#include "tests/support/fake_service_state.h"

namespace deconvoy::testing {

// A job ends when it is watched, as the test has set, unless jobs are held.
struct FakeJobs final : v1::Jobs::Service {
  explicit FakeJobs(FakeService::State& s) : state(s) {}

  grpc::Status Submit(grpc::ServerContext*, const v1::SubmitJobRequest* request, v1::Job* response) override {
    const std::lock_guard lock(state.mutex);
    state.request_ids["Jobs.Submit"].push_back(request->request_id());
    if (auto fault = state.Enter("Jobs.Submit"); !fault.ok()) return fault;
    if (state.workers == 0) return ToGrpc(MakeError({.reason = v1::NO_WORKER}, "there is no worker"));
    if (auto bad = ValidateJobSpec(request->spec()); !bad.ok()) return ToGrpc(bad);
    std::string& name = state.by_request[request->request_id()];
    if (name.empty()) {
      if (const v1::VolumeSpec* psf = state.PsfToPrepare(request->spec()); psf != nullptr) {
        if (auto bad = ValidatePreparedPsf(request->spec().prepare_psf(), *psf); !bad.ok()) return ToGrpc(bad);
      } else if (request->spec().has_prepare_psf()) {
        return NoSuch(request->spec().prepare_psf().psf_volume());
      }
      name = fmt::format("jobs/j{}", ++state.next_id);
      v1::Job& job = state.jobs[name];
      job.set_name(name);
      *job.mutable_spec() = request->spec();
      state.submitted.push_back(request->spec());
      job.set_state(v1::PENDING);
      state.AddOutputs(job);
    }
    *response = state.jobs.at(name);
    return state.Leave("Jobs.Submit");
  }

  // All that is valid would be accepted.
  grpc::Status Preflight(grpc::ServerContext*, const v1::PreflightRequest* request,
                         v1::PreflightReport* response) override {
    const std::lock_guard lock(state.mutex);
    if (auto fault = state.Enter("Jobs.Preflight"); !fault.ok()) return fault;
    if (auto bad = ValidateJobSpec(request->spec()); !bad.ok()) return ToGrpc(bad);
    response->set_accepted(true);
    return grpc::Status::OK;
  }

  grpc::Status Get(grpc::ServerContext*, const v1::GetJobRequest* request, v1::Job* response) override {
    const std::lock_guard lock(state.mutex);
    if (auto fault = state.Enter("Jobs.Get"); !fault.ok()) return fault;
    const auto found = state.jobs.find(request->job());
    if (found == state.jobs.end()) return NoSuch(request->job());
    *response = found->second;
    return grpc::Status::OK;
  }

  grpc::Status List(grpc::ServerContext*, const v1::ListJobsRequest* request, v1::ListJobsResponse* response) override {
    const std::lock_guard lock(state.mutex);
    if (auto fault = state.Enter("Jobs.List"); !fault.ok()) return fault;
    const size_t start = request->page_token().empty() ? 0 : std::stoul(request->page_token());
    size_t place = 0;
    for (const auto& [name, job] : state.jobs) {
      if (place++ < start) continue;
      if (response->jobs_size() == static_cast<int>(request->page_size())) {
        response->set_next_page_token(std::to_string(place - 1));
        break;
      }
      *response->add_jobs() = job;
    }
    return grpc::Status::OK;
  }

  grpc::Status Watch(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                     grpc::ServerWriter<v1::JobEvent>* writer) override {
    std::unique_lock lock(state.mutex);
    if (auto fault = state.Enter("Jobs.Watch"); !fault.ok()) return fault;
    if (!state.jobs.contains(request->job())) return NoSuch(request->job());
    const int after = state.NextBreak("Jobs.Watch");
    int sent = 0;
    uint64_t sequence = 0;
    for (v1::JobEvent event : state.events) {
      if (!event.has_progress()) ++sequence;
      event.set_sequence(sequence);
      if (!event.has_progress() && sequence <= request->after_sequence()) continue;
      if (sent++ == after) return Broken();
      writer->Write(event);
    }
    while (state.hold && !state.stopping && !context->IsCancelled() &&
           state.jobs[request->job()].state() != v1::CANCELLED)
      state.changed.wait_for(lock, std::chrono::milliseconds(5));
    if (sent == after || state.stopping) return Broken();
    v1::Job& job = state.jobs[request->job()];
    state.End(job);
    v1::JobEvent last;
    last.set_sequence(sequence + 1);
    *last.mutable_ended() = job;
    writer->Write(last);
    return grpc::Status::OK;
  }

  grpc::Status Cancel(grpc::ServerContext*, const v1::CancelJobRequest* request, v1::Job* response) override {
    const std::lock_guard lock(state.mutex);
    if (auto fault = state.Enter("Jobs.Cancel"); !fault.ok()) return fault;
    const auto found = state.jobs.find(request->job());
    if (found == state.jobs.end()) return NoSuch(request->job());
    found->second.set_state(v1::CANCELLED);
    state.changed.notify_all();
    *response = found->second;
    return grpc::Status::OK;
  }

  grpc::Status Pause(grpc::ServerContext*, const v1::PauseJobRequest* request, v1::Job* response) override {
    const std::lock_guard lock(state.mutex);
    if (auto fault = state.Enter("Jobs.Pause"); !fault.ok()) return fault;
    return Move(request->job(), v1::PAUSED, *response);
  }

  grpc::Status Resume(grpc::ServerContext*, const v1::ResumeJobRequest* request, v1::Job* response) override {
    const std::lock_guard lock(state.mutex);
    if (auto fault = state.Enter("Jobs.Resume"); !fault.ok()) return fault;
    return Move(request->job(), v1::RUNNING, *response);
  }

  grpc::Status GetPreview(grpc::ServerContext*, const v1::GetPreviewRequest* request, v1::Preview* response) override {
    const std::lock_guard lock(state.mutex);
    if (auto fault = state.Enter("Jobs.GetPreview"); !fault.ok()) return fault;
    if (!state.jobs.contains(request->job()) || !state.preview) return NoSuch("preview of " + request->job());
    *response = *state.preview;
    response->set_c(request->c());
    return grpc::Status::OK;
  }

  grpc::Status Delete(grpc::ServerContext*, const v1::DeleteJobRequest* request, v1::DeleteJobResponse*) override {
    const std::lock_guard lock(state.mutex);
    if (auto fault = state.Enter("Jobs.Delete"); !fault.ok()) return fault;
    return state.jobs.erase(request->job()) > 0 ? grpc::Status::OK : NoSuch(request->job());
  }

 private:
  grpc::Status Move(const std::string& job, v1::JobState to, v1::Job& response) {
    const auto found = state.jobs.find(job);
    if (found == state.jobs.end()) return NoSuch(job);
    found->second.set_state(to);
    response = found->second;
    return grpc::Status::OK;
  }

  FakeService::State& state;
};

}  // namespace deconvoy::testing
