// Errors as the whole service makes, carries and shows them.
//
// Inside a process an error is an `absl::Status` whose payload holds a serialised `deconvoy.v1.ErrorInfo`. At the
// door it becomes a gRPC status with the same bytes as its details. Messages are one sentence that says what is
// wrong and where, with the offending value; the remedy says what to do.
#pragma once

#include <absl/status/status.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "deconvoy/v1/errors.pb.h"

namespace deconvoy {

// What an error carries beside its code and sentence.
struct ErrorDetails {
  v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
  std::string field = {};   // path of the wrong field; empty if none
  std::string remedy = {};  // what the caller can do; empty if nothing
  std::map<std::string, std::string> metadata = {};
};

// An error with the canonical code that belongs to `details.reason` (stated in errors.proto).
absl::Status MakeError(const ErrorDetails& details, std::string_view message);

// Canonical code of a reason.
absl::StatusCode CodeOf(v1::ErrorReason reason);

// The machine-readable part of `status`; default-constructed if it has none.
v1::ErrorInfo InfoOf(const absl::Status& status);
v1::ErrorReason ReasonOf(const absl::Status& status);

// The same error with "`context`: " before its message. OK stays OK.
absl::Status AddContext(const absl::Status& status, std::string_view context);

// To and from the form kept with a job, and told by workers. It has at most 17 KiB, so that it fits into a message
// whatever an error tells of what it has read: longer texts are cut, and facts beside them left out.
v1::StoredError ToStored(const absl::Status& status);
absl::Status FromStored(const v1::StoredError& error);

// The serialised ErrorInfo of `status`, empty if it has none; and an error rebuilt from a wire code, message and
// details.
std::string SerializedInfo(const absl::Status& status);
absl::Status FromWire(int code, std::string_view message, std::string_view serialized_info);

// Whether trying the same again may help: UNAVAILABLE only.
bool IsRetryable(const absl::Status& status);

// `text` with control characters (also those that change the direction of writing) and invalid UTF-8 escaped as \xNN,
// for terminals, logs and CSV. What is printable already stays as it is. The texts of every error made here have passed
// it.
std::string Printable(std::string_view text);

// Whether `text` is valid UTF-8, as every text on the wire must be.
bool IsUtf8(std::string_view text);

// The candidate nearest to `name` by edit distance, or empty when none is near (more than a third of its length + 1).
std::string Nearest(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace deconvoy
