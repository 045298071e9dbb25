// The fake service's library of models. Only for fake_service.cc.
#pragma once

#include <grpcpp/grpcpp.h>

#include <mutex>
#include <string>

#include "deconvoy/v1/models.grpc.pb.h"
#include "proto/contract/model_spec.h"
#include "tests/support/fake_service_state.h"

namespace deconvoy::testing {

// It has one owner, and keeps what a check has found (FakeService::State::Check).
struct FakeModels final : v1::Models::Service {
  explicit FakeModels(FakeService::State& s) : state(s) {}

  grpc::Status Create(grpc::ServerContext*, const v1::CreateModelRequest* request, v1::Model* response) override {
    const std::lock_guard lock(state.mutex);
    if (auto fault = state.Enter("Models.Create"); !fault.ok()) return fault;
    if (auto bad = ValidateCreateModel(*request); !bad.ok()) return ToGrpc(bad);
    std::string& name = state.by_request[request->request_id()];
    if (name.empty()) {
      const auto job = state.jobs.find(request->job());
      if (job == state.jobs.end()) return NoSuch(request->job());
      v1::Model model;
      model.set_name(ModelName({request->model_id(), ++state.last_model_versions[request->model_id()]}));
      model.set_volume(job->second.spec().check_model().model_volume());
      model.set_description(request->description());
      model.set_job(request->job());
      *model.mutable_facts() = job->second.model();
      name = model.name();
      state.models[name] = model;
    }
    *response = state.models.at(name);
    return state.Leave("Models.Create");
  }

  grpc::Status Get(grpc::ServerContext*, const v1::GetModelRequest* request, v1::Model* response) override {
    const std::lock_guard lock(state.mutex);
    if (auto fault = state.Enter("Models.Get"); !fault.ok()) return fault;
    for (const auto& [name, model] : state.models) {
      if (IsOf(name, request->model())) *response = model;
    }
    return response->name().empty() ? NoSuch(request->model()) : grpc::Status::OK;
  }

  grpc::Status List(grpc::ServerContext*, const v1::ListModelsRequest* request,
                    v1::ListModelsResponse* response) override {
    const std::lock_guard lock(state.mutex);
    if (auto fault = state.Enter("Models.List"); !fault.ok()) return fault;
    for (auto model = state.models.rbegin(); model != state.models.rend(); ++model) {
      const std::string id = Bare(model->first);
      const bool newer = response->models_size() > 0 && Bare(response->models().rbegin()->name()) == id;
      if (request->model().empty() ? !newer : request->model() == id) *response->add_models() = model->second;
    }
    return request->model().empty() || response->models_size() > 0 ? grpc::Status::OK : NoSuch(request->model());
  }

  grpc::Status Delete(grpc::ServerContext*, const v1::DeleteModelRequest* request, v1::DeleteModelResponse*) override {
    const std::lock_guard lock(state.mutex);
    if (auto fault = state.Enter("Models.Delete"); !fault.ok()) return fault;
    const size_t removed = std::erase_if(state.models, [&](const auto& model) {
      if (!IsOf(model.first, request->model())) return false;
      state.volumes.erase(model.second.volume());
      return true;
    });
    return removed > 0 ? grpc::Status::OK : NoSuch(request->model());
  }

 private:
  // `models/{id}` of a version; versions sort by number up to the ninth.
  static std::string Bare(const std::string& name) { return name.substr(0, name.find("/versions/")); }
  static bool IsOf(const std::string& version, const std::string& asked) {
    return version == asked || Bare(version) == asked;
  }

  FakeService::State& state;
};

}  // namespace deconvoy::testing
