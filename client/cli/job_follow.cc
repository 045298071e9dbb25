#include "client/cli/job_follow.h"

#include <fmt/format.h>

#include "client/cli/job_run.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/cli/report.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {

std::string JobCommand(const std::string& verb, const std::string& job, const ServerOptions& server,
                       const std::string& more) {
  std::string text = fmt::format("deconvoy {} {}", verb, Printable(job));
  if (!more.empty()) text += " " + more;
  if (!server.server.empty()) text += " --server " + Printable(server.server);
  return text;
}

absl::StatusOr<v1::Job> AwaitSuccess(const Client& client, const std::string& job, const ServerOptions& server,
                                     Progress& progress, const std::stop_token& stop, const JobObserver& observer) {
  auto ended = FollowJob(client, job, progress, stop, observer);
  progress.Clear();
  if (!ended.ok() && stop.stop_requested())
    return MakeError({.reason = v1::CANCELLED_BY_USER,
                      .remedy = fmt::format("Look again with: {}", JobCommand("watch", job, server))},
                     fmt::format("stopped watching; {} goes on", Printable(job)));
  RETURN_IF_ERROR(ended.status());
  RETURN_IF_ERROR(OutcomeOf(*ended));
  return ended;
}

absl::Status FollowToTheEnd(const Client& client, const std::string& job, const ServerOptions& server,
                            const Console& console, Progress& progress, const std::stop_token& stop,
                            const JobObserver& observer) {
  ASSIGN_OR_RETURN(const v1::Job ended, AwaitSuccess(client, job, server, progress, stop, observer));
  for (const std::string& line : JobReport(ended)) console.Say(line);
  if (ended.spec().has_train_model()) {
    console.Remark("keep the model: " + JobCommand("models keep NAME", job, server));
  } else if (!ended.outputs().empty()) {
    console.Remark("get the result: " + JobCommand("fetch", job, server, "-o out.tif"));
  }
  if (console.json) console.Json({{"event", "result"}, {"job", ToJson(ended)}});
  return absl::OkStatus();
}

}  // namespace deconvoy::client
