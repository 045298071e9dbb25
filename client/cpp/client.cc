#include "client/cpp/client.h"

#include <absl/time/clock.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/cpp/address.h"
#include "client/cpp/connection.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

absl::Status CheckVersion(const std::string& address, const v1::ServerInfo& info) {
  if (info.contract_version() == limits::kContractVersion) return absl::OkStatus();
  return MakeError(
      {.reason = v1::INCOMPATIBLE_VERSION,
       .remedy = "Install the client that belongs to the server's release, or the server that belongs to this client.",
       .metadata = {{"server", std::to_string(info.contract_version())},
                    {"client", std::to_string(limits::kContractVersion)}}},
      fmt::format("the server at {} (deconvoyd {}) speaks version {} of the contract, this client (deconvoy {}) "
                  "speaks version {}",
                  Printable(address), Printable(info.version()), info.contract_version(), DECONVOY_VERSION,
                  limits::kContractVersion));
}

Packing PackingFor(const std::string& address, TransferCompression compression) {
  switch (compression) {
    case TransferCompression::kAuto:
      return {.kind = IsLocal(address) ? v1::COMPRESSION_UNSPECIFIED : v1::ZSTD};
    case TransferCompression::kNone:
      break;
    case TransferCompression::kZstd:
      return {.kind = v1::ZSTD, .always = true};
    case TransferCompression::kLz4:
      return {.kind = v1::LZ4, .always = true};
  }
  return {};
}

}  // namespace

Client::Client(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}

absl::StatusOr<Client> Client::Connect(const std::string& address, const ConnectOptions& options,
                                       std::stop_token stop) {
  RETURN_IF_ERROR(CheckAddress(address));
  auto connection = std::make_shared<Connection>(address, options.access, options.retry, options.on_outage);
  RetryPolicy policy = options.retry;
  policy.longest = std::min(policy.longest, absl::Milliseconds(500));
  policy.total = options.connect_timeout;
  Retrier retrier = connection->MakeQuietRetrier(policy, stop);
  auto info = connection->Repeat(retrier, connection->admin(), &v1::Admin::Stub::GetServerInfo,
                                 v1::GetServerInfoRequest(), stop, options.connect_timeout);
  if (absl::IsDeadlineExceeded(info.status()))
    return NotReached(address, fmt::format("no answer within {}", absl::FormatDuration(options.connect_timeout)));
  if (!info.ok()) return info.status();
  RETURN_IF_ERROR(CheckVersion(address, *info));
  connection->server_info = *std::move(info);
  connection->packing = PackingFor(address, options.compression);
  return Client(std::move(connection));
}

const std::string& Client::address() const {
  return connection_->address();
}

const v1::ServerInfo& Client::server() const {
  return connection_->server_info;
}

absl::StatusOr<v1::ServerInfo> Client::GetServerInfo(std::stop_token stop) const {
  return connection_->Call(connection_->admin(), &v1::Admin::Stub::GetServerInfo, v1::GetServerInfoRequest(), stop);
}

absl::StatusOr<v1::Volume> Client::GetVolume(const std::string& volume, std::stop_token stop) const {
  v1::GetVolumeRequest request;
  request.set_volume(volume);
  return connection_->Call(connection_->volumes(), &v1::Volumes::Stub::Get, request, stop);
}

absl::StatusOr<std::vector<v1::Volume>> Client::ListVolumes(std::stop_token stop) const {
  std::vector<v1::Volume> all;
  v1::ListVolumesRequest request;
  do {
    ASSIGN_OR_RETURN(const v1::ListVolumesResponse page,
                     connection_->Call(connection_->volumes(), &v1::Volumes::Stub::List, request, stop));
    all.insert(all.end(), page.volumes().begin(), page.volumes().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

absl::Status Client::DeleteVolume(const std::string& volume, std::stop_token stop) const {
  v1::DeleteVolumeRequest request;
  request.set_volume(volume);
  return connection_->Call(connection_->volumes(), &v1::Volumes::Stub::Delete, request, stop).status();
}

absl::StatusOr<v1::Psf> Client::CreatePsf(v1::CreatePsfRequest request, std::stop_token stop) const {
  request.set_request_id(NewRequestId());
  return connection_->Create(connection_->psfs(), &v1::Psfs::Stub::Create, request, stop);
}

absl::StatusOr<v1::Psf> Client::GetPsf(const std::string& psf, std::stop_token stop) const {
  v1::GetPsfRequest request;
  request.set_psf(psf);
  return connection_->Call(connection_->psfs(), &v1::Psfs::Stub::Get, request, stop);
}

absl::StatusOr<std::vector<v1::Psf>> Client::ListPsfs(const std::string& psf, std::stop_token stop) const {
  std::vector<v1::Psf> all;
  v1::ListPsfsRequest request;
  request.set_psf(psf);
  do {
    ASSIGN_OR_RETURN(const v1::ListPsfsResponse page,
                     connection_->Call(connection_->psfs(), &v1::Psfs::Stub::List, request, stop));
    all.insert(all.end(), page.psfs().begin(), page.psfs().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

absl::Status Client::DeletePsf(const std::string& psf, std::stop_token stop) const {
  v1::DeletePsfRequest request;
  request.set_psf(psf);
  return connection_->Call(connection_->psfs(), &v1::Psfs::Stub::Delete, request, stop).status();
}

absl::StatusOr<std::string> Client::Import(v1::ImportVolumeRequest request, std::stop_token stop) const {
  request.set_request_id(NewRequestId());
  ASSIGN_OR_RETURN(v1::ImportVolumeResponse response,
                   connection_->Create(connection_->volumes(), &v1::Volumes::Stub::Import, request, stop));
  return std::move(*response.mutable_job());
}

absl::StatusOr<std::string> Client::Export(v1::ExportVolumeRequest request, std::stop_token stop) const {
  request.set_request_id(NewRequestId());
  ASSIGN_OR_RETURN(v1::ExportVolumeResponse response,
                   connection_->Create(connection_->volumes(), &v1::Volumes::Stub::Export, request, stop));
  return std::move(*response.mutable_job());
}

absl::StatusOr<v1::Job> Client::Submit(const v1::JobSpec& spec, std::stop_token stop) const {
  v1::SubmitJobRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_spec() = spec;
  return connection_->Create(connection_->jobs(), &v1::Jobs::Stub::Submit, request, stop);
}

absl::StatusOr<v1::PreflightReport> Client::Preflight(const v1::JobSpec& spec, std::stop_token stop) const {
  v1::PreflightRequest request;
  *request.mutable_spec() = spec;
  return connection_->Call(connection_->jobs(), &v1::Jobs::Stub::Preflight, request, stop);
}

absl::StatusOr<v1::Job> Client::GetJob(const std::string& job, std::stop_token stop) const {
  v1::GetJobRequest request;
  request.set_job(job);
  return connection_->Call(connection_->jobs(), &v1::Jobs::Stub::Get, request, stop);
}

absl::StatusOr<std::vector<v1::Job>> Client::ListJobs(bool unfinished_only, size_t at_most,
                                                      std::stop_token stop) const {
  std::vector<v1::Job> all;
  v1::ListJobsRequest request;
  request.set_unfinished_only(unfinished_only);
  do {
    request.set_page_size(static_cast<uint32_t>(std::min<size_t>(at_most - all.size(), limits::kDefaultPageSize)));
    ASSIGN_OR_RETURN(const v1::ListJobsResponse page,
                     connection_->Call(connection_->jobs(), &v1::Jobs::Stub::List, request, stop));
    all.insert(all.end(), page.jobs().begin(), page.jobs().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && all.size() < at_most);
  return all;
}

absl::StatusOr<v1::Job> Client::CancelJob(const std::string& job, std::stop_token stop) const {
  v1::CancelJobRequest request;
  request.set_job(job);
  return connection_->Call(connection_->jobs(), &v1::Jobs::Stub::Cancel, request, stop);
}

absl::StatusOr<v1::Job> Client::PauseJob(const std::string& job, std::stop_token stop) const {
  v1::PauseJobRequest request;
  request.set_job(job);
  return connection_->Call(connection_->jobs(), &v1::Jobs::Stub::Pause, request, stop);
}

absl::StatusOr<v1::Job> Client::ResumeJob(const std::string& job, std::stop_token stop) const {
  v1::ResumeJobRequest request;
  request.set_job(job);
  return connection_->Call(connection_->jobs(), &v1::Jobs::Stub::Resume, request, stop);
}

absl::StatusOr<v1::Preview> Client::GetPreview(const std::string& job, uint32_t channel, std::stop_token stop) const {
  v1::GetPreviewRequest request;
  request.set_job(job);
  request.set_c(channel);
  return connection_->Call(connection_->jobs(), &v1::Jobs::Stub::GetPreview, request, stop);
}

absl::Status Client::DeleteJob(const std::string& job, std::stop_token stop) const {
  v1::DeleteJobRequest request;
  request.set_job(job);
  return connection_->Call(connection_->jobs(), &v1::Jobs::Stub::Delete, request, stop).status();
}

absl::StatusOr<std::vector<v1::Method>> Client::ListMethods(std::stop_token stop) const {
  std::vector<v1::Method> all;
  v1::ListMethodsRequest request;
  do {
    ASSIGN_OR_RETURN(const v1::ListMethodsResponse page,
                     connection_->Call(connection_->methods(), &v1::Methods::Stub::List, request, stop));
    all.insert(all.end(), page.methods().begin(), page.methods().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

absl::StatusOr<v1::Method> Client::GetMethod(const std::string& name, std::stop_token stop) const {
  v1::GetMethodRequest request;
  request.set_method(name);
  return connection_->Call(connection_->methods(), &v1::Methods::Stub::Get, request, stop);
}

absl::StatusOr<std::vector<v1::Worker>> Client::ListWorkers(std::stop_token stop) const {
  std::vector<v1::Worker> all;
  v1::ListWorkersRequest request;
  do {
    ASSIGN_OR_RETURN(const v1::ListWorkersResponse page,
                     connection_->Call(connection_->admin(), &v1::Admin::Stub::ListWorkers, request, stop));
    all.insert(all.end(), page.workers().begin(), page.workers().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

absl::StatusOr<v1::Worker> Client::DrainWorker(const std::string& worker, bool drain, std::stop_token stop) const {
  v1::DrainWorkerRequest request;
  request.set_worker(worker);
  request.set_drain(drain);
  return connection_->Call(connection_->admin(), &v1::Admin::Stub::DrainWorker, request, stop);
}

absl::StatusOr<v1::ServerInfo> Client::PauseServer(bool pause, std::stop_token stop) const {
  v1::PauseServerRequest request;
  request.set_pause(pause);
  return connection_->Call(connection_->admin(), &v1::Admin::Stub::PauseServer, request, stop);
}

absl::StatusOr<std::vector<v1::Usage>> Client::ExportUsage(const std::string& first_month,
                                                           const std::string& last_month, std::stop_token stop) const {
  v1::ExportUsageRequest request;
  request.set_first_month(first_month);
  request.set_last_month(last_month);
  ASSIGN_OR_RETURN(const v1::ExportUsageResponse response,
                   connection_->Call(connection_->admin(), &v1::Admin::Stub::ExportUsage, request, stop));
  return std::vector<v1::Usage>(response.usage().begin(), response.usage().end());
}

}  // namespace deconvoy::client
