// How a command ends: exit codes, and errors as text and JSON.
#pragma once

#include <absl/status/status.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy::client {

enum class ExitCode : int {
  kOk = 0,
  kUsage = 2,         // the command line is wrong: an option, a method or a value of theirs
  kInvalidInput = 3,  // a file, a volume or what is in it
  kUnreachable = 4,   // no server, or one of another major version
  kFailed = 5,        // the job failed, or something broke
  kCancelled = 6,
  kRefused = 7,  // quota, permission, room, state
};

// `status` with an exit code of its own, whatever its canonical code.
absl::Status WithExitCode(absl::Status status, ExitCode code);

// With a full stop, unless it ends like a sentence already.
std::string Sentence(std::string text);

// The command line is wrong.
absl::Status UsageError(std::string_view message, std::string_view remedy = "");

// What a job that ended without success says: OK for SUCCEEDED, its stored error else. Failures exit with 5, but those
// that come from the data, or from a file that is not there, with 3, and those of a file that may not be read or
// written with 7. `called` is said in the place of the job's name, which nobody can use where the job
// is gone with its private server.
absl::Status OutcomeOf(const v1::Job& job, std::string_view called = "");

ExitCode ExitCodeOf(const absl::Status& status);

// "deconvoy: what.\n", and "  remedy.\n" where there is one.
std::string ErrorText(const absl::Status& status);

// {"event":"error","exit_code":3,"code":"INVALID_ARGUMENT","reason":"BAD_PSF","message":...,"remedy":...,"field":...,
// "metadata":{...}}; empty parts are left out.
nlohmann::json ErrorJson(const absl::Status& status);

}  // namespace deconvoy::client
