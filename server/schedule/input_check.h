// Whether the stored bytes of what a job reads are still those that were stored, before its tasks are given out.
//
// Each job's volumes are compared with their checksums once in a run of the server, whoever will read them: workers
// that see the spool read files without checksums. Jobs on one volume share its check, while its file is as it was then
// and for an hour at most. Little is compared while the caller waits; more by a thread of its own, in the order in
// which jobs are served: whenever another job comes, what is compared then is broken off after a box, and goes on from
// there when its turn has come. No lock is held meanwhile. Thread safe.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "server/observe/environment.h"
#include "server/spool/volume_store.h"
#include "server/store/store.h"

namespace deconvoy::server {

class InputCheck {
 public:
  struct Options {
    int64_t at_once_bytes = 32 << 20;  // compared while the caller waits: some 20 ms; below 0: nothing
    size_t kept_jobs = 4096;           // beyond which those that have ended are forgotten
  };
  // What the rest of the server tells. Called from any thread, without a lock; must not call back.
  struct Surroundings {
    // The ids of all jobs that could be given out now, the one to be served first in front. Others are not checked, and
    // have to be asked for again.
    std::function<std::vector<std::string>()> in_order;
    std::function<bool(const std::string& job_id)> has_ended;
    // Hears whenever it is worth asking again for a job that was asked for.
    std::function<void()> wake;
  };

  // The arguments must outlive this.
  InputCheck(const Options& options, Store& store, VolumeStore& volumes, Clock& clock, Surroundings surroundings);
  ~InputCheck();  // as Stop

  // What the check of a job's volumes has found: OK, CORRUPT_DATA, or whatever kept them from being read, which is told
  // once, and checked again when asked for again. Nothing while it is under way; the first call of a job starts it.
  std::optional<absl::Status> Ask(const std::string& job_id);

  // Breaks off what is under way. What has not been checked stays so.
  void Stop();

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  // By what a change of a volume shows, also one that did not come through the server.
  struct Stamp {
    v1::VolumeState state = v1::WRITING;
    int64_t committed_bytes = 0;
    std::filesystem::file_time_type written = {};

    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  // A volume that a job reads, as it was when the job was asked for.
  struct Input {
    std::string id;
    Stamp stamp;
    uint64_t asked = 0;  // of steps_
  };
  // The newest check of a volume.
  struct Check {
    Stamp stamp;         // when it began
    uint64_t begun = 0;  // of steps_
    VerifyPlace place = {};
    std::optional<absl::Status> found = {};  // nothing: it has not come to its end
    SteadyTime touched = {};                 // when it was last gone on with
  };
  struct Job {
    std::optional<absl::Status> found = {};  // nothing: under way
    std::vector<Input> open = {};            // while it is queued: what is still to be compared
    bool awaited = false;                    // it was asked for meanwhile
  };

  absl::StatusOr<std::vector<Input>> InputsOf(const std::string& job_id);
  // The answer of a job that is not queued.
  absl::Status Answer(const std::string& job_id, const absl::Status& found);
  absl::Status CheckNow(const std::vector<Input>& inputs);
  void ForgetEnded();
  void Run(const std::stop_token& stop);

  // REQUIRES for the rest: mutex_ is held.
  // Whether it tells of the volume as the job reads it.
  static bool Covers(const Check& check, const Input& input);
  bool IsRecent(const Check& check) const;
  // Takes out of `inputs` what is known to be in order. An error that is known of one of them.
  absl::Status TakeKnown(std::vector<Input>& inputs) const;
  void Queue(const std::string& job_id, std::vector<Input> inputs);
  // Goes on with what this queued job waits for. Whether a job has got its answer. Releases the lock meanwhile.
  bool GoOn(const std::string& job_id, std::unique_lock<std::mutex>& lock);
  // Tells queued jobs that wait for the volume. Whether one of them has got its answer.
  bool Tell(const std::string& volume_id, const Check& check, const absl::Status& found);
  // Forgets the queued jobs that are not in `order`. Whether there were any.
  bool Drop(const std::vector<std::string>& order);

  // Constant.
  const Options options_;
  Store& store_;
  VolumeStore& volumes_;
  Clock& clock_;
  const Surroundings surroundings_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  // --- guarded by mutex_ ---
  std::map<std::string, Job> jobs_;      // by id
  std::map<std::string, Check> checks_;  // by volume
  std::set<std::string> queued_;         // jobs that the thread is to check
  uint64_t steps_ = 0;                   // rises with every job that is asked for and every check that begins
  uint64_t queueings_ = 0;               // jobs queued so far
  std::stop_source break_off_;           // of what the thread compares just now
  size_t forget_at_;                     // so many jobs, those that have ended are forgotten

  std::jthread thread_;  // last: it uses the rest
};

}  // namespace deconvoy::server
