#include "server/auth/permissions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "proto/contract/error.h"

namespace deconvoy::server {
namespace {

constexpr Permission Users(std::string_view rpc, bool audited = false) {
  return {.rpc = rpc, .user = true, .admin = true, .audited = audited};
}
constexpr Permission Workers(std::string_view rpc) {
  return {.rpc = rpc, .worker = true};
}
constexpr Permission Admins(std::string_view rpc, bool audited = false) {
  return {.rpc = rpc, .admin = true, .audited = audited};
}

constexpr bool kAudited = true;

constexpr auto kTable = std::to_array<Permission>({
    Users("Volumes.Create"),
    Users("Volumes.Write"),
    Users("Volumes.Finish"),
    Users("Volumes.Get"),
    Users("Volumes.Read"),
    Users("Volumes.Import", kAudited),
    Users("Volumes.Export", kAudited),
    Users("Volumes.List"),
    Users("Volumes.Delete", kAudited),
    Users("Jobs.Submit"),
    Users("Jobs.Preflight"),
    Users("Jobs.Get"),
    Users("Jobs.List"),
    Users("Jobs.Watch"),
    Users("Jobs.Cancel"),
    Users("Jobs.Pause"),
    Users("Jobs.Resume"),
    Users("Jobs.GetPreview"),
    Users("Jobs.Delete", kAudited),
    Users("Deconvolution.Deconvolve"),
    Users("Methods.List"),
    Users("Methods.Get"),
    Users("Psfs.Create"),
    Users("Psfs.Get"),
    Users("Psfs.List"),
    Users("Psfs.Delete", kAudited),
    Users("Models.Create"),
    Users("Models.Get"),
    Users("Models.List"),
    Users("Models.Delete", kAudited),
    Workers("Workers.Synchronize"),
    Workers("Workers.FetchInput"),
    Workers("Workers.DeliverOutput"),
    Users("Admin.GetServerInfo"),
    Users("Admin.ListWorkers"),
    Admins("Admin.DrainWorker", kAudited),
    Admins("Admin.PauseServer", kAudited),
    Admins("Admin.CreateUser", kAudited),
    Admins("Admin.UpdateUser", kAudited),
    Users("Admin.GetUser"),
    Admins("Admin.ListUsers"),
    Admins("Admin.SetGroupWeight", kAudited),
    Admins("Admin.ListGroups"),
    Admins("Admin.CreateToken", kAudited),
    Users("Admin.ListTokens"),
    Users("Admin.RevokeToken", kAudited),
    Admins("Admin.ExportUsage"),
});

constexpr char kHead[] = R"(# Who may make which call

Made by `deconvoyd --print-permissions`; do not edit.

A call without a token that the server knows is refused with `UNAUTHENTICATED` (`NO_TOKEN`, `BAD_TOKEN`,
`TOKEN_EXPIRED`), one that the caller's role does not make with `PERMISSION_DENIED` (`ROLE_NOT_ALLOWED`). Callers see
and touch what they own, whatever their role; what others own is `NOT_FOUND`. Workers of the server's own machine may
show its worker credential instead of a token. Where `auth.tokens` is `off` everybody is the user `local` with the
role ADMIN. Health and reflection answer everybody.

| call | USER | WORKER | ADMIN | in the audit log |
|---|---|---|---|---|
)";

std::string_view Mark(bool may) {
  return may ? "yes" : "";
}

}  // namespace

std::span<const Permission> Permissions() {
  return kTable;
}

const Permission* FindPermission(std::string_view rpc) {
  const auto* const found = std::ranges::find(kTable, rpc, &Permission::rpc);
  return found == kTable.end() ? nullptr : found;
}

absl::Status CheckRole(const Caller& caller, std::string_view rpc) {
  const Permission* row = FindPermission(rpc);
  const bool may =
      row != nullptr && ((caller.role == v1::USER && row->user) || (caller.role == v1::WORKER && row->worker) ||
                         (caller.role == v1::ADMIN && row->admin));
  if (may) return absl::OkStatus();
  return MakeError(
      {.reason = v1::ROLE_NOT_ALLOWED,
       .remedy = row != nullptr && row->worker ? "use the token of a user whose role is WORKER"
                                               : "ask an administrator, or use a token of another role",
       .metadata = {{"role", v1::Role_Name(caller.role)}}},
      fmt::format("the role {} of \"{}\" does not make the call {}", v1::Role_Name(caller.role), caller.owner, rpc));
}

absl::Status CheckWork(const Caller& caller, const v1::JobSpec& spec) {
  if (spec.check_model().format() != v1::TORCHSCRIPT || caller.role == v1::ADMIN) return absl::OkStatus();
  return MakeError({.reason = v1::ROLE_NOT_ALLOWED,
                    .field = "check_model.format",
                    .remedy = "ask an administrator to import it, or give its tensors as SAFETENSORS",
                    .metadata = {{"role", v1::Role_Name(caller.role)}}},
                   fmt::format("the role {} of \"{}\" does not import models that are programs",
                               v1::Role_Name(caller.role), caller.owner));
}

std::string PermissionsPage() {
  std::string page = kHead;
  for (const Permission& row : kTable) {
    page += fmt::format("| {} | {} | {} | {} | {} |\n", row.rpc, Mark(row.user), Mark(row.worker), Mark(row.admin),
                        Mark(row.audited));
  }
  return page;
}

}  // namespace deconvoy::server
