// Plays a microscope: sends planes of an image to a running server at a steady rate through the call for recording
// software, and tells how long the sender was held up, when the first finished box and the whole of the first time
// point came, and when the job had ended. One line of JSON on standard output.
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "client/cpp/client.h"
#include "deconvoy/v1/deconvolution.grpc.pb.h"
#include "proto/contract/checksum.h"
#include "proto/contract/limits.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string server;
  std::string psf = "light-sheet";
  int64_t times = 1, planes = 60, extent = 512, iterations = 10;
  double rate = 5;
};

double Seconds(Clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

// For a light sheet a Gaussian of 31 x 31 x 31 voxels, to which they come close. For widefield a double cone of
// 61 x 63 x 63, every plane of which has the same light: no part of a stack of 60 planes can be computed by itself.
absl::StatusOr<std::string> UploadPsf(const client::Client& client, bool widefield) {
  const int64_t half_z = widefield ? 30 : 15, half = widefield ? 31 : 15;
  v1::VolumeSpec spec;
  *spec.mutable_shape() = ToProto(Shape5{1, 1, 2 * half_z + 1, 2 * half + 1, 2 * half + 1});
  spec.set_type(v1::F32);
  return client.Upload(spec, [=](int64_t, int64_t, int64_t z, std::span<std::byte> plane) {
    const auto dz = static_cast<double>(z - half_z);
    const double sigma = widefield ? 1.5 + 0.25 * std::abs(dz) : 2;
    const double light = widefield ? 1 / (sigma * sigma) : std::exp(-dz * dz / 18);
    std::vector<float> voxels;
    for (int64_t y = -half; y <= half; ++y) {
      for (int64_t x = -half; x <= half; ++x) {
        const auto square = static_cast<double>(y * y + x * x);
        voxels.push_back(static_cast<float>(light * std::exp(-square / (2 * sigma * sigma))));
      }
    }
    std::memcpy(plane.data(), voxels.data(), plane.size());
    return absl::OkStatus();
  });
}

v1::DeconvolveHeader Header(const Options& options, const std::string& psf) {
  v1::DeconvolveHeader header;
  header.set_session(fmt::format("bench-{}", std::random_device()()));
  *header.mutable_input()->mutable_shape() =
      ToProto(Shape5{options.times, 1, options.planes, options.extent, options.extent});
  header.mutable_input()->set_type(v1::U16);
  header.set_results(true);
  v1::DeconvolveSpec& work = *header.mutable_job()->mutable_deconvolve();
  work.set_psf_volume(psf);
  work.set_method("rl");
  (*work.mutable_parameters())["iterations"] = std::to_string(options.iterations);
  work.set_background_counts(100);
  return header;
}

// What comes back, as the reading thread finds it.
struct Answers {
  std::vector<Clock::time_point> acknowledged;  // of each chunk
  std::optional<Clock::time_point> first_box, first_frame, end;
  int64_t first_frame_voxels = 0;  // finished
  v1::Box box;
  v1::Job job;
};

using Stream = grpc::ClientReaderWriter<v1::DeconvolveRequest, v1::DeconvolveResponse>;

void ReadAll(Stream& stream, const Options& options, Answers& answers) {
  const int64_t frame_voxels = options.planes * options.extent * options.extent;
  for (v1::DeconvolveResponse message; stream.Read(&message);) {
    const Clock::time_point now = Clock::now();
    if (message.has_written()) answers.acknowledged.resize(message.written().chunks_committed(), now);
    if (message.has_finished() && !answers.first_box) {
      answers.first_box = now;
      answers.box = message.finished();
    }
    if (message.has_finished() && message.finished().t() == 0) {
      answers.first_frame_voxels += ToFrameBox(message.finished()).box.shape.voxels();
      if (answers.first_frame_voxels == frame_voxels) answers.first_frame = now;
    }
    if (message.has_ended()) {
      answers.end = now;
      answers.job = message.ended();
    }
  }
}

// Sends one plane in chunks of whole rows.
void SendPlane(Stream& stream, const Options& options, int64_t t, int64_t z, const std::string& rows_of_noise,
               std::vector<Clock::time_point>& sent) {
  const int64_t row_bytes = 2 * options.extent;
  const int64_t rows = std::min<int64_t>(limits::kChunkBytes / row_bytes, options.extent);
  for (int64_t y = 0; y < options.extent; y += rows) {
    const int64_t count = std::min(rows, options.extent - y);
    v1::DeconvolveRequest request;
    v1::Chunk& chunk = *request.mutable_chunk();
    *chunk.mutable_box() = ToProto(FrameBox{t, 0, {{z, y, 0}, {1, count, options.extent}}});
    chunk.set_data(rows_of_noise.substr(0, static_cast<size_t>(count * row_bytes)));
    chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
    sent.push_back(Clock::now());
    stream.Write(request);
  }
}

double Percentile99(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[(values.size() * 99 - 1) / 100];
}

int Play(const Options& options) {
  const auto fail = [](const std::string& why) {
    std::cerr << why << '\n';
    return 1;
  };
  const absl::StatusOr<client::Client> client = client::Client::Connect(options.server);
  if (!client.ok()) return fail(std::string(client.status().message()));
  const absl::StatusOr<std::string> psf = UploadPsf(*client, options.psf == "widefield");
  if (!psf.ok()) return fail(std::string(psf.status().message()));
  const auto stub = v1::Deconvolution::NewStub(grpc::CreateChannel(options.server, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  const auto stream = stub->Deconvolve(&context);
  v1::DeconvolveRequest request;
  *request.mutable_header() = Header(options, *psf);
  stream->Write(request);
  Answers answers;
  std::thread reader([&] { ReadAll(*stream, options, answers); });

  std::mt19937 random(1);
  std::poisson_distribution<int> photons(150);
  std::string noise;
  for (int64_t i = 0; i < options.extent * options.extent; ++i) {
    const auto counts = static_cast<uint16_t>(photons(random));
    noise.append(reinterpret_cast<const char*>(&counts), sizeof(counts));
  }
  std::vector<Clock::time_point> sent;
  std::vector<double> held_up_ms, acknowledged_ms;
  const Clock::time_point start = Clock::now();
  for (int64_t i = 0; i < options.times * options.planes; ++i) {
    std::this_thread::sleep_until(start + std::chrono::duration_cast<Clock::duration>(
                                              std::chrono::duration<double>(static_cast<double>(i) / options.rate)));
    const Clock::time_point begin = Clock::now();
    SendPlane(*stream, options, i / options.planes, i % options.planes, noise, sent);
    held_up_ms.push_back(1000 * Seconds(Clock::now() - begin));
  }
  const Clock::time_point last = Clock::now();
  request.mutable_finish();
  stream->Write(request);
  reader.join();
  const grpc::Status status = stream->Finish();
  if (!status.ok() || !answers.end) return fail("the call ended early: " + status.error_message());
  for (size_t i = 0; i < answers.acknowledged.size(); ++i) {
    acknowledged_ms.push_back(1000 * Seconds(answers.acknowledged[i] - sent[i]));
  }
  const double rate = answers.job.progress().megavoxels_per_second() * 1e6;
  const auto core = static_cast<double>(ToFrameBox(answers.box).box.shape.voxels());
  const auto all = static_cast<double>(options.times * options.planes * options.extent * options.extent);
  const nlohmann::json told = {
      {"state", v1::JobState_Name(answers.job.state())},
      {"chunks_sent", sent.size()},
      {"chunks_acknowledged", answers.acknowledged.size()},
      {"held_up_p99_ms", Percentile99(held_up_ms)},
      {"acknowledged_p99_ms", Percentile99(acknowledged_ms)},
      {"first_box_before_last_plane_s", answers.first_box ? Seconds(last - *answers.first_box) : -1.0},
      {"first_time_point_before_last_plane_s", answers.first_frame ? Seconds(last - *answers.first_frame) : -1.0},
      {"end_after_last_plane_s", Seconds(*answers.end - last)},
      {"tile_s", rate > 0 ? core * static_cast<double>(options.iterations) / rate : 0.0},
      {"computing_s", rate > 0 ? all * static_cast<double>(options.iterations) / rate : 0.0},
  };
  std::cout << told.dump() << '\n';
  return 0;
}

}  // namespace
}  // namespace deconvoy

int main(int argc, char** argv) {
  CLI::App app("Plays a microscope into a running server.");
  deconvoy::Options options;
  app.add_option("--server", options.server, "address")->required();
  app.add_option("--psf", options.psf, "light-sheet or widefield")->check(CLI::IsMember({"light-sheet", "widefield"}));
  app.add_option("--times", options.times, "time points, one after the other")->check(CLI::Range(1, 1000));
  app.add_option("--planes", options.planes, "of each stack")->check(CLI::Range(1, 100'000));
  app.add_option("--extent", options.extent, "rows and columns")->check(CLI::Range(16, 65'536));
  app.add_option("--rate", options.rate, "planes per second")->check(CLI::Range(0.01, 10'000.0));
  app.add_option("--iterations", options.iterations, "of rl")->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  return deconvoy::Play(options);
}
