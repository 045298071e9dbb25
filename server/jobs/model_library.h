// The library of models: volumes with models' files that are kept under names, version by version.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>

#include "deconvoy/v1/models.pb.h"
#include "server/observe/environment.h"
#include "server/spool/volume_store.h"
#include "server/store/store.h"

namespace deconvoy::server {

// Thread safe. Owners see only their own models, jobs and volumes; anything else is NOT_FOUND. Errors are those of
// models.proto, and of the store.
class ModelLibrary {
 public:
  // The arguments must outlive the library.
  ModelLibrary(Store& store, VolumeStore& volumes, Clock& clock) : store_(store), volumes_(volumes), clock_(clock) {}

  // Durable when it returns.
  absl::StatusOr<v1::Model> Create(const std::string& owner, const v1::CreateModelRequest& request);
  absl::StatusOr<v1::Model> Get(const std::string& owner, const std::string& name);
  absl::StatusOr<v1::ListModelsResponse> List(const std::string& owner, const v1::ListModelsRequest& request);
  absl::Status Delete(const std::string& owner, const std::string& name);

 private:
  absl::StatusOr<v1::Model> AnswerAgain(const Store::RequestRecord& earlier, const std::string& body_digest,
                                        const std::string& request_id);
  absl::StatusOr<ModelRecord> MakeRecord(const std::string& owner, const v1::CreateModelRequest& request);

  Store& store_;
  VolumeStore& volumes_;
  Clock& clock_;
};

}  // namespace deconvoy::server
