// The C++ client of a deconvoy server.
//
//   ASSIGN_OR_RETURN(Client client, Client::Connect("localhost:7450"));
//   ASSIGN_OR_RETURN(std::string image, client.Upload(image_spec, read_plane));
//   ASSIGN_OR_RETURN(std::string psf, client.Upload(psf_spec, read_psf_plane));
//   v1::JobSpec spec;  ... spec.mutable_deconvolve()->set_input_volume(image); ...
//   ASSIGN_OR_RETURN(v1::Job job, client.Submit(spec));
//   ASSIGN_OR_RETURN(job, client.Watch(job.name(), 0, on_event));
//   RETURN_IF_ERROR(client.Download(job.outputs(0).volume(), write_plane));
//
// Errors are those that the calls state in `proto/deconvoy/v1`, with reason and remedy (`proto/contract/error.h`).
// UNAVAILABLE is retried with growing waits (`RetryPolicy`), anything else is returned as it comes; every call that
// creates something carries an id that is the same in every repetition, so that nothing is created twice.
//
// Every call takes a stop token and ends with CANCELLED soon after stop was requested. The attempts of Submit, and of
// an upload to create its volume, are not broken off: what they create is known before the call ends.
//
// Thread safe; copies share one connection. Callbacks run on the calling thread.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "client/cpp/retry.h"
#include "deconvoy/v1/admin.pb.h"
#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/methods.pb.h"
#include "deconvoy/v1/models.pb.h"
#include "deconvoy/v1/psfs.pb.h"
#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/geometry.h"
#include "proto/contract/server_access.h"

namespace deconvoy::client {

class Connection;

// How voxels are packed on their way.
enum class TransferCompression {
  kAuto,  // none to a server on this machine (also through a tunnel), else zstd for volumes that become a fifth smaller
  kNone,
  kZstd,
  kLz4,
};

struct ConnectOptions {
  // How long to try to reach the server in the first place.
  absl::Duration connect_timeout = absl::Seconds(3);
  // For calls on a connection that has worked.
  RetryPolicy retry;
  // Hears when one of these calls has to wait for the server, and when the server answers again. Where several threads
  // use the client, each tells of its own call.
  OutageObserver on_outage;
  // Token and TLS: `UsesTls` says when calls are encrypted.
  ServerAccess access = {};
  TransferCompression compression = TransferCompression::kAuto;
};

// How much of a volume has been moved: durable at the server for uploads, handed to the sink for downloads.
struct TransferProgress {
  int64_t bytes_done = 0;
  int64_t bytes_total = 0;
};
using TransferObserver = std::function<void(const TransferProgress&)>;

// Fills `plane` (C order y,x, little endian) with a plane of a volume. Asked in t,c,z order, but again for planes in
// flight when a stream broke: the same plane must always give the same bytes.
using PlaneSource = std::function<absl::Status(int64_t t, int64_t c, int64_t z, std::span<std::byte> plane)>;

// Takes a plane of a volume. Called once per plane in t,c,z order.
using PlaneSink = std::function<absl::Status(int64_t t, int64_t c, int64_t z, std::span<const std::byte> plane)>;

// Takes voxels of a volume (C order z,y,x, little endian) as they become durable, in any order; after a break some may
// come again, the same as before.
using BoxSink = std::function<absl::Status(const FrameBox& box, std::span<const std::byte> voxels)>;

using JobObserver = std::function<void(const v1::JobEvent&)>;

class Client {
 public:
  // Connects to `unix:/path` or `host:port` and asks the server which contract it speaks. Errors: UNAVAILABLE (nobody
  // answers), INVALID_ARGUMENT (not an address), INCOMPATIBLE_VERSION (naming both versions, or no deconvoyd at all).
  static absl::StatusOr<Client> Connect(const std::string& address, const ConnectOptions& options = {},
                                        std::stop_token stop = {});

  const std::string& address() const;

  // What the server said of itself when the connection was made, and what it says now.
  const v1::ServerInfo& server() const;
  absl::StatusOr<v1::ServerInfo> GetServerInfo(std::stop_token stop = {}) const;

  // Creates a volume, sends its planes, finishes it with its digest, and returns its name. A stream that breaks is
  // resumed where the server misses boxes. On any other error the volume is removed from the server if that takes no
  // longer than a second. Memory: two planes and 16 MiB.
  absl::StatusOr<std::string> Upload(const v1::VolumeSpec& spec, const PlaneSource& source,
                                     const TransferObserver& progress = {}, std::stop_token stop = {}) const;

  // What became of UploadOnce.
  struct Uploaded {
    std::string volume;    // its name
    bool found = false;    // it was there as a whole, and nothing was sent
    bool created = false;  // nothing of it was there
  };
  // The same, but sends nothing that the server has already: first all planes are read for their digest (`reading`
  // hears of it), by which a complete volume of the same image is found, or an upload that was left unfinished. The
  // latter is gone on with. One that is stopped after something of it was stored stays on the server, to be gone on
  // with by the same call; the error names it.
  absl::StatusOr<Uploaded> UploadOnce(const v1::VolumeSpec& spec, const PlaneSource& source,
                                      const TransferObserver& reading = {}, const TransferObserver& progress = {},
                                      std::stop_token stop = {}) const;

  // Reads a whole complete volume; every chunk's checksum is checked (CHECKSUM_MISMATCH). Memory: one plane and a few
  // chunks; a slow sink slows only this call.
  absl::Status Download(const std::string& volume, const PlaneSink& sink, const TransferObserver& progress = {},
                        std::stop_token stop = {}) const;

  // Reads all of a volume that may still be written, until all of it is there; checked and bounded as Download.
  // VOLUME_GONE where it is removed before, as the result of a job that fails is.
  absl::Status Follow(const std::string& volume, const BoxSink& sink, const TransferObserver& progress = {},
                      std::stop_token stop = {}) const;

  // Reads one box of a volume, all of which must be durable (VOLUME_INCOMPLETE).
  absl::StatusOr<std::vector<std::byte>> ReadBox(const std::string& volume, const FrameBox& box,
                                                 std::stop_token stop = {}) const;

  absl::StatusOr<v1::Volume> GetVolume(const std::string& volume, std::stop_token stop = {}) const;
  absl::StatusOr<std::vector<v1::Volume>> ListVolumes(std::stop_token stop = {}) const;
  absl::Status DeleteVolume(const std::string& volume, std::stop_token stop = {}) const;
  // Names of the jobs that read or write a file on storage that the server sees. `request` without an id.
  absl::StatusOr<std::string> Import(v1::ImportVolumeRequest request, std::stop_token stop = {}) const;
  absl::StatusOr<std::string> Export(v1::ExportVolumeRequest request, std::stop_token stop = {}) const;

  // `request` without an id.
  absl::StatusOr<v1::Psf> CreatePsf(v1::CreatePsfRequest request, std::stop_token stop = {}) const;
  absl::StatusOr<v1::Psf> GetPsf(const std::string& psf, std::stop_token stop = {}) const;
  // As ListPsfsRequest says of `psf`.
  absl::StatusOr<std::vector<v1::Psf>> ListPsfs(const std::string& psf, std::stop_token stop = {}) const;
  absl::Status DeletePsf(const std::string& psf, std::stop_token stop = {}) const;

  absl::StatusOr<v1::Model> CreateModel(v1::CreateModelRequest request, std::stop_token stop = {}) const;
  absl::StatusOr<v1::Model> GetModel(const std::string& model, std::stop_token stop = {}) const;
  // As ListModelsRequest says of `model`.
  absl::StatusOr<std::vector<v1::Model>> ListModels(const std::string& model, std::stop_token stop = {}) const;
  absl::Status DeleteModel(const std::string& model, std::stop_token stop = {}) const;

  absl::StatusOr<v1::Job> Submit(const v1::JobSpec& spec, std::stop_token stop = {}) const;
  absl::StatusOr<v1::PreflightReport> Preflight(const v1::JobSpec& spec, std::stop_token stop = {}) const;

  // Hands every event after `after_sequence` to `observer` until the job has ended, and returns it as it ended.
  // Re-attaches when the connection breaks: kept events come once each, in order. `stop` ends the watching with
  // CANCELLED; the job goes on.
  absl::StatusOr<v1::Job> Watch(const std::string& job, uint64_t after_sequence, const JobObserver& observer = {},
                                std::stop_token stop = {}) const;

  absl::StatusOr<v1::Job> GetJob(const std::string& job, std::stop_token stop = {}) const;
  // Newest first, at most `at_most`.
  absl::StatusOr<std::vector<v1::Job>> ListJobs(bool unfinished_only, size_t at_most, std::stop_token stop = {}) const;
  absl::StatusOr<v1::Job> CancelJob(const std::string& job, std::stop_token stop = {}) const;
  absl::StatusOr<v1::Job> PauseJob(const std::string& job, std::stop_token stop = {}) const;
  absl::StatusOr<v1::Job> ResumeJob(const std::string& job, std::stop_token stop = {}) const;
  // What is computed so far of one channel of a deconvolution's result. NOT_FOUND while nothing is.
  absl::StatusOr<v1::Preview> GetPreview(const std::string& job, uint32_t channel, std::stop_token stop = {}) const;
  absl::Status DeleteJob(const std::string& job, std::stop_token stop = {}) const;

  absl::StatusOr<std::vector<v1::Method>> ListMethods(std::stop_token stop = {}) const;
  absl::StatusOr<v1::Method> GetMethod(const std::string& name, std::stop_token stop = {}) const;
  absl::StatusOr<std::vector<v1::Worker>> ListWorkers(std::stop_token stop = {}) const;

  absl::StatusOr<v1::Worker> DrainWorker(const std::string& worker, bool drain, std::stop_token stop = {}) const;
  absl::StatusOr<v1::ServerInfo> PauseServer(bool pause, std::stop_token stop = {}) const;
  // As ExportUsageRequest says of the months, which may be empty.
  absl::StatusOr<std::vector<v1::Usage>> ExportUsage(const std::string& first_month, const std::string& last_month,
                                                     std::stop_token stop = {}) const;

  // --- users, their groups and their tokens, for administrators; of themselves for users (an empty name) ---
  absl::StatusOr<v1::User> CreateUser(const v1::User& user, std::stop_token stop = {}) const;
  // Changes the named fields of the user to what `user` has.
  absl::StatusOr<v1::User> UpdateUser(const v1::User& user, const std::vector<std::string>& fields,
                                      std::stop_token stop = {}) const;
  absl::StatusOr<v1::User> GetUser(const std::string& user, std::stop_token stop = {}) const;
  absl::StatusOr<std::vector<v1::User>> ListUsers(std::stop_token stop = {}) const;
  // See Admin.SetGroupWeight.
  absl::StatusOr<v1::Group> SetGroupWeight(const std::string& group, double weight, std::stop_token stop = {}) const;
  absl::StatusOr<std::vector<v1::Group>> ListGroups(std::stop_token stop = {}) const;
  // `lifetime` InfiniteDuration: for ever. The text is in this answer only.
  absl::StatusOr<v1::CreateTokenResponse> CreateToken(const std::string& user, const std::string& label,
                                                      absl::Duration lifetime, std::stop_token stop = {}) const;
  absl::StatusOr<std::vector<v1::Token>> ListTokens(const std::string& user, std::stop_token stop = {}) const;
  absl::StatusOr<v1::Token> RevokeToken(const std::string& token, std::stop_token stop = {}) const;

 private:
  friend class AcquisitionStream;
  explicit Client(std::shared_ptr<Connection> connection);

  std::shared_ptr<Connection> connection_;
};

}  // namespace deconvoy::client
