// deconvoy-bench transfer: how fast volumes move to and from a running server, beside a bare gRPC stream of the same
// chunks between two ends that do nothing with them, and beside the disk that stores them. deconvoy-bench streams: many
// transfers at once, half of the readers stalled; the memory of the server is for the caller to look at.
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "client/cpp/client.h"
#include "deconvoy/v1/volumes.grpc.pb.h"
#include "proto/contract/checksum.h"
#include "proto/contract/limits.h"
#include "server/spool/aligned_buffers.h"
#include "server/spool/file_system.h"
#include "tests/bench/commands.h"
#include "tests/bench/measure.h"

namespace deconvoy::bench {
namespace {

constexpr int64_t kRows = 1024, kColumns = 512;  // planes of 1 MiB at 16 bits
constexpr double kMib = 1 << 20;

struct Options {
  std::string server;
  int64_t mib = 2048;
  int repeats = 3;
  int streams = 32;  // each way
  std::string disk = std::filesystem::temp_directory_path();
};

v1::VolumeSpec SpecOf(int64_t mib) {
  v1::VolumeSpec spec;
  spec.set_display_name("bench");
  spec.mutable_shape()->set_t(1);
  spec.mutable_shape()->set_c(1);
  spec.mutable_shape()->set_z(static_cast<uint32_t>(mib));
  spec.mutable_shape()->set_y(kRows);
  spec.mutable_shape()->set_x(kColumns);
  spec.set_type(v1::U16);
  return spec;
}

// Planes that differ by their first bytes, so that making them takes no time.
client::PlaneSource Planes(uint64_t salt) {
  return [salt](int64_t, int64_t, int64_t z, std::span<std::byte> plane) {
    const uint64_t mark = salt * 1'000'003 + static_cast<uint64_t>(z);
    std::memcpy(plane.data(), &mark, sizeof mark);
    return absl::OkStatus();
  };
}

// Takes chunks, counts them, and sends an acknowledgement now and then.
class BareServer final : public v1::Volumes::Service {
 public:
  grpc::Status Write(grpc::ServerContext*,
                     grpc::ServerReaderWriter<v1::WriteVolumeResponse, v1::WriteVolumeRequest>* stream) override {
    v1::WriteVolumeRequest request;
    v1::WriteVolumeResponse response;
    uint64_t chunks = 0;
    while (stream->Read(&request)) {
      response.set_chunks_committed(++chunks);
      if (chunks % 16 == 0) stream->Write(response);
    }
    stream->Write(response);
    return grpc::Status::OK;
  }
};

// MiB/s of `mib` in chunks of the usual size over a stream to `stub`.
double BareRate(v1::Volumes::Stub& stub, int64_t mib) {
  v1::WriteVolumeRequest request;
  request.mutable_chunk()->set_data(std::string(limits::kChunkBytes, 'x'));
  const auto chunks = mib * int64_t{1 << 20} / static_cast<int64_t>(limits::kChunkBytes);
  grpc::ClientContext context;
  const auto start = Clock::now();
  const auto stream = stub.Write(&context);
  std::thread listener([&] {
    for (v1::WriteVolumeResponse response; stream->Read(&response);) {
    }
  });
  for (int64_t i = 0; i < chunks && stream->Write(request); ++i) {
  }
  stream->WritesDone();
  listener.join();
  if (!stream->Finish().ok()) throw std::runtime_error("the bare stream broke");
  return static_cast<double>(mib) / SecondsSince(start);
}

// Seconds of processors that this process has taken, all threads together.
double ProcessorSeconds() {
  rusage used;
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// MiB/s that one processor digests.
double DigestRate() {
  constexpr int kMiBs = 512;
  const std::vector<std::byte> plane(1 << 20, std::byte{1});
  Sha256 digest;
  const auto start = Clock::now();
  for (int i = 0; i < kMiBs; ++i) digest.Update(plane);
  digest.Finish();
  return kMiBs / SecondsSince(start);
}

// What the processors of this machine leave of the bare stream's rate when both ends digest what it carries, and do
// nothing else.
double AllowedRatio(double mib, double bare_rate, double bare_processor_seconds, double digest_rate) {
  const double seconds = (bare_processor_seconds + 2 * mib / digest_rate) / std::thread::hardware_concurrency();
  return std::min(1.0, mib / seconds / bare_rate);
}

// MiB/s of `mib` written in chunks of the usual size to a reserved file in `folder` past the page cache, synced as
// often as uploads are: what the disk takes for good.
double DiskRate(const std::filesystem::path& folder, int64_t mib) {
  constexpr auto kChunk = static_cast<int64_t>(limits::kChunkBytes);
  constexpr int64_t kSyncedChunks = (8 << 20) / kChunk;
  const std::filesystem::path path = folder / fmt::format("deconvoy-bench-disk-{}", getpid());
  const std::unique_ptr<server::FileSystem> files = server::MakePosixFileSystem();
  server::AlignedBuffers buffers(1, limits::kChunkBytes);
  const auto buffer = buffers.Take();
  std::ranges::fill(buffer.bytes(), std::byte{1});
  const std::unique_ptr<server::File> file = Value(files->Create(path));
  Check(file->Reserve(mib << 20));
  Check(file->Sync());
  const auto start = Clock::now();
  for (int64_t i = 0; i < (mib << 20) / kChunk; ++i) {
    Check(file->WriteAt(i * kChunk, buffer.bytes()));
    if ((i + 1) % kSyncedChunks == 0) Check(file->Sync());
  }
  Check(file->Sync());
  const double rate = static_cast<double>(mib) / SecondsSince(start);
  Check(files->Remove(path));
  return rate;
}

nlohmann::json MeasureTransfer(const Options& options) {
  const std::string address =
      "unix:" + (std::filesystem::temp_directory_path() / fmt::format("deconvoy-bench-{}", getpid())).string();
  BareServer service;
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits::kMessageBytes));
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  if (!server) throw std::runtime_error("cannot listen on " + address);
  const auto stub = v1::Volumes::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  const client::Client client = Value(client::Client::Connect(options.server));
  std::vector<double> bare, bare_processors, disk, digests, uploads, downloads, again;
  for (int i = 0; i <= options.repeats; ++i) {
    const double before = ProcessorSeconds();
    const double bare_rate = BareRate(*stub, options.mib);
    const double bare_seconds = ProcessorSeconds() - before;
    const double digest_rate = DigestRate();
    const double disk_rate = DiskRate(options.disk, options.mib);
    auto start = Clock::now();
    const auto salt = static_cast<uint64_t>(Clock::now().time_since_epoch().count());
    const std::string volume = Value(client.Upload(SpecOf(options.mib), Planes(salt)));
    const double upload = static_cast<double>(options.mib) / SecondsSince(start);
    start = Clock::now();
    Check(client.Download(volume,
                          [](int64_t, int64_t, int64_t, std::span<const std::byte>) { return absl::OkStatus(); }));
    const double download = static_cast<double>(options.mib) / SecondsSince(start);
    start = Clock::now();
    if (!Value(client.UploadOnce(SpecOf(options.mib), Planes(salt))).found)
      throw std::runtime_error("the volume was not found by its digest");
    const double found_seconds = SecondsSince(start);
    Check(client.DeleteVolume(volume));
    if (i == 0) continue;
    bare.push_back(bare_rate);
    bare_processors.push_back(bare_seconds);
    disk.push_back(disk_rate);
    digests.push_back(digest_rate);
    uploads.push_back(upload);
    downloads.push_back(download);
    again.push_back(found_seconds);
  }
  server->Shutdown();
  return {{"mib", options.mib},
          {"bare_mib_per_second", bare},
          {"bare_processor_seconds", bare_processors},
          {"disk_mib_per_second", disk},
          {"digest_mib_per_second", digests},
          {"allowed_ratio",
           AllowedRatio(static_cast<double>(options.mib), Median(bare), Median(bare_processors), Median(digests))},
          {"upload_mib_per_second", uploads},
          {"download_mib_per_second", downloads},
          {"again_seconds", again},
          {"upload_ratio", Median(uploads) / Median(bare)},
          {"download_ratio", Median(downloads) / Median(bare)}};
}

void ReportTransfer(const nlohmann::json& r) {
  const auto median = [&](const char* name) { return Median(r[name].get<std::vector<double>>()); };
  fmt::print("{} MiB in chunks of 512 KiB\n", r["mib"].get<int64_t>());
  fmt::print("  bare stream  {:9.0f} MiB/s\n", median("bare_mib_per_second"));
  fmt::print("  disk         {:9.0f} MiB/s, {:.2f} of it\n", median("disk_mib_per_second"),
             median("disk_mib_per_second") / median("bare_mib_per_second"));
  fmt::print("  digest       {:9.0f} MiB/s of one processor; with one at each end {:.2f} of the bare stream is left\n",
             median("digest_mib_per_second"), r["allowed_ratio"].get<double>());
  fmt::print("  upload       {:9.0f} MiB/s, {:.2f} of it\n", median("upload_mib_per_second"),
             r["upload_ratio"].get<double>());
  fmt::print("  download     {:9.0f} MiB/s, {:.2f} of it\n", median("download_mib_per_second"),
             r["download_ratio"].get<double>());
  fmt::print("  again        {:9.2f} s, found by its digest\n", median("again_seconds"));
}

nlohmann::json MeasureStreams(const Options& options) {
  const client::Client setup = Value(client::Client::Connect(options.server));
  const std::string source = Value(setup.Upload(SpecOf(options.mib), Planes(0)));
  std::atomic<int> uploading = options.streams;
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  const auto start = Clock::now();
  for (int i = 0; i < options.streams; ++i) {
    threads.emplace_back([&, i] {
      const auto client = client::Client::Connect(options.server);
      const auto volume = client.ok() ? client->Upload(SpecOf(options.mib), Planes(static_cast<uint64_t>(i) + 1))
                                      : absl::StatusOr<std::string>(client.status());
      if (volume.ok()) client->DeleteVolume(*volume).IgnoreError();
      failures += volume.ok() ? 0 : 1;
      --uploading;
    });
    // Every second reader takes one plane and stalls until all uploads are over.
    threads.emplace_back([&, i] {
      const auto client = client::Client::Connect(options.server);
      const auto take = [&](int64_t, int64_t, int64_t, std::span<const std::byte>) {
        while (i % 2 == 0 && uploading > 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
        return absl::OkStatus();
      };
      const absl::Status read = client.ok() ? client->Download(source, take) : client.status();
      failures += read.ok() ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = SecondsSince(start);
  Check(setup.DeleteVolume(source));
  if (failures > 0) throw std::runtime_error(fmt::format("{} transfers failed", failures.load()));
  return {{"streams", options.streams}, {"mib_each", options.mib}, {"seconds", seconds}};
}

void ReportStreams(const nlohmann::json& r) {
  fmt::print("{} uploads and as many downloads of {} MiB: {:.1f} s\n", r["streams"].get<int>(),
             r["mib_each"].get<int64_t>(), r["seconds"].get<double>());
}

CLI::App* AddTransferOptions(CLI::App& root, const char* name, const char* about, Options& options) {
  CLI::App* app = root.add_subcommand(name, about);
  app->add_option("--server", options.server, "address of a running server")->required();
  app->add_option("--mib", options.mib, "of each volume")->check(CLI::Range(1, 1 << 20))->capture_default_str();
  return app;
}

}  // namespace

Command AddTransfer(CLI::App& root) {
  const auto options = std::make_shared<Options>();
  CLI::App* app = AddTransferOptions(root, "transfer", "volumes to and from a server, beside a bare stream", *options);
  app->add_option("--repeats", options->repeats)->check(CLI::Range(1, 1000))->capture_default_str();
  app->add_option("--disk", options->disk, "folder on the disk of the server's spool, for what that disk takes")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  return {app, [options] { return MeasureTransfer(*options); }, ReportTransfer};
}

Command AddStreams(CLI::App& root) {
  const auto options = std::make_shared<Options>();
  options->mib = 64;
  CLI::App* app = AddTransferOptions(root, "streams", "many transfers at once, some readers stalled", *options);
  app->add_option("--streams", options->streams, "uploads, and as many downloads")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  return {app, [options] { return MeasureStreams(*options); }, ReportStreams};
}

}  // namespace deconvoy::bench
