// Waiting for a job that goes on whether somebody waits or not: `watch` and `submit --wait`.
#pragma once

#include <absl/status/status.h>

#include <stop_token>
#include <string>

#include "client/cli/console.h"
#include "client/cli/options/server_options.h"
#include "client/cli/progress.h"
#include "client/cpp/client.h"

namespace deconvoy::client {

// A command about a job that can be copied to a shell: "deconvoy watch jobs/3f2a --server localhost:7450", the server
// only where the command line has named it. `more` goes to the end.
std::string JobCommand(const std::string& verb, const std::string& job, const ServerOptions& server,
                       const std::string& more = "");

// Follows a job to its end with progress; `observer` hears the events, too. The error of a job that has failed or was
// cancelled (OutcomeOf); CANCELLED_BY_USER, saying that the job goes on, when `stop` is requested.
absl::StatusOr<v1::Job> AwaitSuccess(const Client& client, const std::string& job, const ServerOptions& server,
                                     Progress& progress, const std::stop_token& stop, const JobObserver& observer = {});

// The same, and reports the job and how to get its result.
absl::Status FollowToTheEnd(const Client& client, const std::string& job, const ServerOptions& server,
                            const Console& console, Progress& progress, const std::stop_token& stop,
                            const JobObserver& observer = {});

}  // namespace deconvoy::client
