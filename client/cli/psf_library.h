// The library of PSFs that a server keeps: putting one there, and finding it.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <CLI/CLI.hpp>
#include <stop_token>
#include <string>

#include "client/cli/console.h"
#include "client/cli/job_run.h"
#include "client/cli/options/server_options.h"
#include "client/cli/session.h"
#include "client/cpp/client.h"

namespace deconvoy::client {

// --keep, for verbs that make a PSF.
void AddKeepOption(CLI::App& verb, std::string& keep);

// Errors of usage: no name without a version, or a server that would not keep it. Nothing is asked for with an empty
// name.
absl::Status CheckKeep(const std::string& keep, const ServerOptions& server);

// Keeps `request.volume` as the next version of the PSF that a user calls `name`, and says so; it is no leftover any
// more. The rest of the request is as given.
absl::StatusOr<v1::Psf> KeepPsf(const Client& client, const std::string& name, v1::CreatePsfRequest request,
                                Leftovers& leftovers, const Console& console, const std::stop_token& stop);

// What a job said of the PSF that it has made: its findings in their order, as many as a description holds.
std::string DescriptionFrom(const v1::Job& job);

// The PSF of the library that an argument names (IsLibraryPsf), in the version that it names or the newest one. An
// error of usage where the session's server is a local one, which keeps none.
absl::StatusOr<v1::Psf> FindLibraryPsf(const Session& session, const std::string& argument,
                                       const std::stop_token& stop);

}  // namespace deconvoy::client
