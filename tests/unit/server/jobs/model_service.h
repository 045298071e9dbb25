// A JobService whose workers know networks, and models in its library.
#pragma once

#include <string>

#include "proto/contract/byte_volume.h"
#include "proto/contract/model_spec.h"
#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {

inline v1::Method NetworkMethod() {
  v1::Method method;
  method.set_name(kNetworkMethod);
  method.add_boundaries(v1::EXTEND);
  method.set_transforms_per_iteration(4);
  method.set_bytes_per_padded_voxel(20);
  method.add_backends("cpu");
  method.set_needs_models(true);
  method.add_formats(v1::SAFETENSORS);
  v1::NetworkDescription& rln = *method.add_networks();
  rln.set_name("rln");
  rln.set_parameters(16'000);
  rln.set_model_bytes(70'000);
  rln.set_state_bytes(300'000);
  rln.set_training_bytes_per_voxel(100);
  v1::NetworkDescription& dncnn = *method.add_networks();
  dncnn = rln;
  dncnn.set_name("dncnn3d");
  dncnn.set_denoises(true);
  return method;
}

// A method that takes a denoiser, `tv` by default.
inline v1::Method DenoisingMethod() {
  v1::Method method = RlMethod();
  method.set_name("pnp-admm");
  v1::Parameter denoiser = MakeParameter("denoiser", v1::CHOICE, "tv");
  denoiser.add_choices()->set_name("tv");
  *method.add_parameters() = denoiser;
  method.set_takes_denoiser(true);
  return method;
}

inline v1::Method NetworkMethodWithoutLibrary() {
  v1::Method method = NetworkMethod();
  method.set_unavailable("it was built without LibTorch");
  method.clear_networks();
  method.clear_formats();
  return method;
}

inline v1::ModelFacts FactsOf(const std::string& network = "rln") {
  v1::ModelFacts facts;
  facts.set_digest(std::string(32, 'd'));
  facts.set_size_bytes(60'000);
  facts.set_format(v1::SAFETENSORS);
  facts.set_network(network);
  facts.set_parameters(16'000);
  facts.set_psf_digest(std::string(32, 'p'));
  *facts.mutable_halo() = ToProto(Shape3{6, 6, 6});
  *facts.mutable_multiple() = ToProto(Shape3{2, 2, 2});
  facts.set_bytes_per_voxel(300);
  facts.set_recipe("{}");
  return facts;
}

class ModelService : public JobService {
 public:
  ModelService() { capabilities().AddMethods({RlMethod(), NetworkMethod(), DenoisingMethod()}); }

  v1::JobSpec Train(uint32_t steps = 100, uint32_t parts = 4) {
    v1::JobSpec spec;
    v1::TrainModelSpec& work = *spec.mutable_train_model();
    work.set_network("rln");
    work.set_psf_volume(AddVolume(MakeSpec({1, 1, 3, 3, 3}, v1::F32)));
    work.set_steps(steps);
    work.set_parts(parts);
    return spec;
  }
  v1::JobSpec Check(int64_t bytes = 60'000) {
    v1::JobSpec spec;
    spec.mutable_check_model()->set_model_volume(AddVolume(ByteVolume(bytes)));
    return spec;
  }
  // Checks a file with a worker, and keeps it under the name.
  v1::Model Keep(const std::string& id, const v1::ModelFacts& facts = FactsOf());
};

// A worker that knows networks.
class NetworkWorker : public TestWorker {
 public:
  NetworkWorker(JobService& service, const std::string& id) : TestWorker(service, id) {
    *registration.add_methods() = NetworkMethod();
    *registration.add_methods() = DenoisingMethod();
  }

  // Delivers the task with this result; the bytes are as those of other workers.
  absl::Status Finish(const v1::Task& task, v1::TaskResult result) {
    std::string bytes;
    const v1::TaskResult usual = ResultOf(task, &bytes);
    *result.mutable_piece_crc32c() = usual.piece_crc32c();
    return Deliver(task, result, bytes);
  }
  absl::Status FinishPart(const v1::Task& task, double loss, bool ended = false) {
    v1::TaskResult result;
    v1::TrainResult& part = *result.mutable_train();
    part.mutable_point()->set_step(task.train().last_step());
    part.mutable_point()->set_loss(loss);
    part.mutable_point()->set_held_back_loss(2 * loss);
    part.set_best_step(task.train().last_step());
    part.set_ended(ended);
    return Finish(task, result);
  }
  absl::Status FinishTraining(const v1::Task& task, const v1::ModelFacts& facts = FactsOf()) {
    v1::TaskResult result;
    *result.mutable_finish_training()->mutable_facts() = facts;
    return Finish(task, result);
  }
  absl::Status FinishCheck(const v1::Task& task, const v1::ModelFacts& facts = FactsOf()) {
    v1::TaskResult result;
    *result.mutable_check_model()->mutable_facts() = facts;
    return Finish(task, result);
  }
};

inline v1::Model ModelService::Keep(const std::string& id, const v1::ModelFacts& facts) {
  const std::string job = Submit(Check());
  NetworkWorker worker(*this, "keeper");
  EXPECT_OK(worker.Register());
  const std::optional<v1::Task> task = worker.Take();
  EXPECT_TRUE(task && task->has_check_model());
  if (!task) return {};
  EXPECT_OK(worker.FinishCheck(*task, facts));
  v1::CreateModelRequest request;
  request.set_request_id("keep-" + job);
  request.set_model_id(id);
  request.set_job(JobName(job));
  auto model = models().Create(kOwner, request);
  EXPECT_OK(model);
  return model.ok() ? *std::move(model) : v1::Model();
}

}  // namespace deconvoy::server
