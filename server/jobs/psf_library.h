// The library of PSFs: volumes that are kept under names, version by version.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>

#include "deconvoy/v1/psfs.pb.h"
#include "server/observe/environment.h"
#include "server/spool/volume_store.h"
#include "server/store/store.h"

namespace deconvoy::server {

// Thread safe. Owners see only their own PSFs and volumes; anything else is NOT_FOUND. Errors are those of psfs.proto,
// and of the store.
class PsfLibrary {
 public:
  // The arguments must outlive the library.
  PsfLibrary(Store& store, VolumeStore& volumes, Clock& clock) : store_(store), volumes_(volumes), clock_(clock) {}

  // Durable when it returns. Reads the volume for its digest where that is not known yet.
  absl::StatusOr<v1::Psf> Create(const std::string& owner, const v1::CreatePsfRequest& request);
  absl::StatusOr<v1::Psf> Get(const std::string& owner, const std::string& name);
  absl::StatusOr<v1::ListPsfsResponse> List(const std::string& owner, const v1::ListPsfsRequest& request);
  absl::Status Delete(const std::string& owner, const std::string& name);

 private:
  absl::StatusOr<v1::Psf> AnswerAgain(const Store::RequestRecord& earlier, const std::string& body_digest,
                                      const std::string& request_id);
  absl::StatusOr<PsfRecord> MakeRecord(const std::string& owner, const v1::CreatePsfRequest& request);

  Store& store_;
  VolumeStore& volumes_;
  Clock& clock_;
};

}  // namespace deconvoy::server
