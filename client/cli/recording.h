// Playing a microscope's planes into a session, and writing what comes back.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "client/cli/plane_feed.h"
#include "client/cli/progress.h"
#include "client/cli/result_file.h"
#include "client/cpp/acquisition_stream.h"

namespace deconvoy::client {

struct RecordingOptions {
  bool channels_first = false;                     // planes come with the channels running fastest, then z, then t
  absl::Duration idle_timeout = absl::Minutes(5);  // without a plane
};

// One recording. One thread.
class Recording {
 public:
  // Everything must outlive it.
  Recording(PlaneFeed& feed, AcquisitionStream& stream, ResultFile& result, Progress& progress,
            const RecordingOptions& options, std::function<absl::Time()> clock);

  // Pushes planes until all are there, and finishes the input. Errors: CANCELLED when `stop` is requested, and
  // DEADLINE_EXCEEDED when the feed has rested too long or has ended early: what was pushed is durable then, as far as
  // the server answers; those of the feed, the stream and the result.
  absl::Status Feed(const std::stop_token& stop);

  // Waits for the end of the job, and gives the result its name where it has succeeded; the job as it ended. CANCELLED
  // when `stop` is requested.
  absl::StatusOr<v1::Job> AwaitEnd(const std::stop_token& stop);

  // The job, once it has ended.
  const std::optional<v1::Job>& ended() const { return ended_; }

 private:
  struct Place {
    int64_t t, c, z;
  };

  Place PlaceOf(int64_t index) const;
  absl::Status FeedOn(const std::stop_token& stop);
  absl::Status PushPlane(const Place& place, const std::stop_token& stop);
  // `status`, with which the stream takes no more, or how the job has ended meanwhile: one that was taken up again late
  // may have had all its planes.
  absl::Status UnlessItHasEnded(const absl::Status& status);
  // Hears what the stream has to tell, waiting at most so long for the first of it.
  absl::Status Hear(absl::Duration patience);
  absl::Status Take(const AcquisitionEvent& event);
  void Show();

  PlaneFeed& feed_;
  AcquisitionStream& stream_;
  ResultFile& result_;
  Progress& progress_;
  const RecordingOptions options_;
  const std::function<absl::Time()> clock_;
  const int64_t planes_, channels_, depth_;  // in all, and of a time point
  std::vector<std::byte> plane_;
  bool finished_ = false;  // the input
  bool away_ = false;      // the server, as far as it was said
  double backlog_seconds_ = 0;
  std::optional<v1::JobProgress> job_progress_;
  std::set<std::string> said_;
  std::optional<v1::Job> ended_;
};

}  // namespace deconvoy::client
