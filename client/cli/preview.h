// The small picture of a result that the server keeps for each job.
#pragma once

#include <absl/status/status.h>

#include <string>

#include "client/cpp/client.h"
#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy::client {

// Draws what is computed so far of a deconvolution's result, one panel per channel, into a PNG, replacing it at once.
// NOT_FOUND while nothing is computed; errors of WritePicture.
absl::Status SavePreview(const Client& client, const v1::Job& job, const std::string& file);

// Draws the preview anew whenever a task of the job has been done.
class PreviewKeeper {
 public:
  // Draws nothing where `file` is empty. `client` must outlive it.
  PreviewKeeper(const Client& client, std::string file) : client_(client), file_(std::move(file)) {}

  // Hears an event of the job; the first picture that could not be drawn ends the drawing, and `status` tells why.
  void Hear(const std::string& job, const v1::JobEvent& event);

  const absl::Status& status() const { return status_; }

 private:
  const Client& client_;
  const std::string file_;
  uint32_t tasks_drawn_ = 0;
  absl::Status status_;
};

}  // namespace deconvoy::client
