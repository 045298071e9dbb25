// Which role may make which call: one table for the whole contract. docs/permissions.md is made from it.
#pragma once

#include <absl/status/status.h>

#include <span>
#include <string>
#include <string_view>

#include "deconvoy/v1/jobs.pb.h"
#include "server/auth/caller.h"

namespace deconvoy::server {

// A call, and who may make it.
struct Permission {
  std::string_view rpc;  // service and method, `Volumes.Get`
  bool user = false;
  bool worker = false;
  bool admin = false;
  bool audited = false;  // each that is let in goes into the audit log, whatever comes of it
};

// Every call of the contract, in its order.
std::span<const Permission> Permissions();

// The row of a call; null for one that the table does not know.
const Permission* FindPermission(std::string_view rpc);

// OK, or ROLE_NOT_ALLOWED. Nobody may make a call that has no row.
absl::Status CheckRole(const Caller& caller, std::string_view rpc);

// ROLE_NOT_ALLOWED for work that only an ADMIN may ask for: models that are programs by themselves.
absl::Status CheckWork(const Caller& caller, const v1::JobSpec& spec);

// The table as a page of the documentation.
std::string PermissionsPage();

}  // namespace deconvoy::server
