// A small deconvoy server inside the test process: volumes in memory, jobs that end as told, faults on demand.
//
// For tests of clients. It keeps the contract of the calls it offers, but deconvolves by copying.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/methods.pb.h"
#include "deconvoy/v1/models.pb.h"
#include "deconvoy/v1/psfs.pb.h"
#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy::testing {

// A volume as the fake keeps it.
struct FakeVolume {
  v1::Volume volume;
  std::string bytes;  // C order
  std::vector<v1::Box> committed;
  std::string digest;  // given with Finish
};

// Thread safe. Calls are named `Volumes.Create`, `Jobs.Watch` and so on.
class FakeService {
 public:
  // Listens on a Unix socket of its own.
  FakeService();
  ~FakeService();
  FakeService(const FakeService&) = delete;
  FakeService& operator=(const FakeService&) = delete;

  const std::string& address() const;

  // --- what it is ---
  void SetContractVersion(uint32_t version);
  void SetMethods(std::vector<v1::Method> methods);
  void SetWorkers(int count);  // 1 at first; Submit is refused (NO_WORKER) while there is none

  // --- faults ---
  // The next `times` calls of `call` fail before they do anything, with `error` (its ErrorInfo as details).
  void FailNext(const std::string& call, int times, const absl::Status& error);
  // The next call does its work, but its answer is lost (UNAVAILABLE).
  void LoseAnswerOf(const std::string& call);
  // The next streams end with UNAVAILABLE after so many messages, each entry for one stream: chunks committed (Write),
  // chunks sent (Read), events sent (Watch), chunks acknowledged (Deconvolution.Deconvolve, where one more is durable).
  void BreakStreams(const std::string& call, std::vector<int> after);
  // The next Write commits so many chunks, then answers that it takes no more, and ends with `error` once it is closed.
  void FailCommit(uint64_t after, const absl::Status& error);
  // Chunks that recording software sends are not taken while this holds.
  void HoldWrites(bool hold);
  // One chunk of the next Read, counted from 0, has a wrong byte.
  void CorruptRead(int chunk);

  // --- jobs ---
  // What Watch tells of every job from now on; `ended` is filled in. Kept events get rising sequence numbers.
  void SetEvents(std::vector<v1::JobEvent> events);
  // How jobs end: OK for SUCCEEDED.
  void SetOutcome(const absl::Status& outcome);
  // What deconvolutions and checks that succeed from now on tell of their PSF.
  void SetPsfReports(std::vector<v1::PsfReport> reports);
  // What every job shows of its result.
  void SetPreview(const v1::Preview& preview);
  // Jobs do not end before they are cancelled.
  void HoldJobs();

  // --- what happened ---
  int calls(const std::string& call) const;
  std::vector<std::string> request_ids(const std::string& call) const;
  std::map<std::string, FakeVolume> volumes() const;
  std::map<std::string, v1::Job> jobs() const;
  std::vector<v1::JobSpec> submitted() const;       // in this order, jobs that are gone included
  std::map<std::string, v1::Psf> psfs() const;      // by name with its version
  std::map<std::string, v1::Model> models() const;  // likewise
  uint64_t chunks_received() const;
  uint64_t packed_chunks() const;  // that were packed, received and sent

 private:
  friend struct FakeDeconvolution;
  friend struct FakeJobs;
  friend struct FakeModels;
  struct State;
  struct Services;
  const std::unique_ptr<State> state_;
  std::unique_ptr<Services> services_;
};

}  // namespace deconvoy::testing
