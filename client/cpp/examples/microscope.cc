// deconvoy-microscope-example: plays a microscope, and tells how long planes and results take.
//
//   deconvoy-microscope-example --server localhost:7450 --shape 1,1,60,512,512 --planes-per-second 5
//   deconvoy-microscope-example --server localhost:7450 --planes-per-second 5 --raw planes.raw --shape 1,1,60,512,512
//   deconvoy-microscope-example --server localhost:7450 --json
//
// It uploads a Gaussian PSF, opens a session, and pushes planes on time, whatever the server does. Without --raw it
// makes a specimen of its own: points of light on a dark ground.
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/clock.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "client/cpp/acquisition_stream.h"
#include "client/cpp/client.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

struct Options {
  std::string server = "localhost:7450";
  std::vector<int64_t> shape = {1, 1, 60, 512, 512};
  double planes_per_second = 5;
  std::string raw;  // file of u16 planes; empty: simulated
  int psf_side = 31;
  int iterations = 10;
  bool json = false;  // one object at the end, instead of lines for people
};

// Moments of planes, from several threads.
class Clocks {
 public:
  void Pushed(int64_t t, int64_t c, int64_t z) {
    const std::lock_guard lock(mutex_);
    pushed_[{t, c, z}] = absl::Now();
  }

  void Durable(int64_t t, int64_t c, int64_t z) {
    const std::lock_guard lock(mutex_);
    latencies_ms_.push_back(absl::ToDoubleMilliseconds(absl::Now() - pushed_.at({t, c, z})));
  }

  // Sorted.
  std::vector<double> LatenciesMs() const {
    const std::lock_guard lock(mutex_);
    std::vector<double> sorted = latencies_ms_;
    std::sort(sorted.begin(), sorted.end());
    return sorted;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::tuple<int64_t, int64_t, int64_t>, absl::Time> pushed_;  // guarded by mutex_
  std::vector<double> latencies_ms_;                                    // guarded by mutex_
};

double Percentile(const std::vector<double>& sorted, double fraction) {
  if (sorted.empty()) return 0;
  const auto place = static_cast<size_t>(std::ceil(fraction * static_cast<double>(sorted.size())));
  return sorted[std::max<size_t>(place, 1) - 1];
}

nlohmann::json Spread(const std::vector<double>& sorted) {
  return {{"p50", Percentile(sorted, 0.5)}, {"p99", Percentile(sorted, 0.99)}, {"max", Percentile(sorted, 1)}};
}

void Tell(const char* what, const std::vector<double>& sorted) {
  fmt::print("{}: p50 {:.2f} ms, p99 {:.2f} ms, max {:.2f} ms\n", what, Percentile(sorted, 0.5),
             Percentile(sorted, 0.99), Percentile(sorted, 1));
}

// Planes of a file, or of a specimen that is made up.
class Camera {
 public:
  explicit Camera(const Options& options, const Shape5& shape) : shape_(shape) {
    if (!options.raw.empty()) file_.open(options.raw, std::ios::binary);
    pixels_.resize(static_cast<size_t>(shape.y * shape.x));
  }

  absl::StatusOr<std::span<const std::byte>> Next(const Options& options) {
    if (options.raw.empty()) {
      for (uint16_t& pixel : pixels_) pixel = static_cast<uint16_t>(100 + random_() % 16);
      for (int i = 0; i < 50; ++i) pixels_[random_() % pixels_.size()] = static_cast<uint16_t>(1000 + random_() % 1000);
    } else if (!file_.read(reinterpret_cast<char*>(pixels_.data()), static_cast<std::streamsize>(pixels_.size() * 2))) {
      return absl::InvalidArgumentError(
          fmt::format("{} does not hold {} planes of u16", options.raw, shape_.frames() * shape_.z));
    }
    return std::as_bytes(std::span(pixels_));
  }

 private:
  const Shape5 shape_;
  std::ifstream file_;
  std::vector<uint16_t> pixels_;
  std::mt19937 random_{1};
};

absl::StatusOr<std::string> UploadPsf(const Client& client, int side) {
  v1::VolumeSpec spec;
  *spec.mutable_shape() = ToProto(Shape5{1, 1, side, side, side});
  spec.set_type(v1::F32);
  spec.set_display_name("example PSF");
  const auto value = [side](int64_t at, double width) {
    const double away = static_cast<double>(at - side / 2) / width;
    return std::exp(-0.5 * away * away);
  };
  return client.Upload(spec, [&](int64_t, int64_t, int64_t z, std::span<std::byte> plane) {
    auto* out = reinterpret_cast<float*>(plane.data());
    for (int64_t y = 0; y < side; ++y)
      for (int64_t x = 0; x < side; ++x) *out++ = static_cast<float>(value(z, 3) * value(y, 1.5) * value(x, 1.5));
    return absl::OkStatus();
  });
}

v1::JobSpec JobOf(const Options& options, const std::string& psf) {
  v1::JobSpec job;
  job.set_display_name("microscope example");
  v1::DeconvolveSpec& spec = *job.mutable_deconvolve();
  spec.set_psf_volume(psf);
  spec.set_method("rl");
  spec.set_output_type(v1::F32);
  spec.set_background_counts(100);
  (*spec.mutable_parameters())["iterations"] = std::to_string(options.iterations);
  return job;
}

// When what happened, in seconds after the first plane.
struct Times {
  std::optional<double> first_box;
  double last_push = 0, end = 0;
};

// Takes what there is to hear; the job when it has ended.
absl::StatusOr<std::optional<v1::Job>> Hear(AcquisitionStream& stream, absl::Time start, absl::Duration patience,
                                            Times& times) {
  for (;; patience = absl::ZeroDuration()) {
    ASSIGN_OR_RETURN(auto event, stream.Poll(patience));
    if (!event) return std::nullopt;
    if (std::holds_alternative<FinishedBox>(*event) && !times.first_box)
      times.first_box = absl::ToDoubleSeconds(absl::Now() - start);
    if (auto* job = std::get_if<v1::Job>(&*event)) return std::move(*job);
  }
}

// How a recording went.
struct Summary {
  std::string session;
  int64_t planes_durable = 0;
  std::vector<double> pushes_ms, latencies_ms;  // sorted
  Times times;
  v1::Job job;
};

void Print(const Summary& summary) {
  const Times& times = summary.times;
  Tell("Push", summary.pushes_ms);
  Tell("Push to acknowledgement", summary.latencies_ms);
  fmt::print("last plane after {:.2f} s, first finished box after {}, end after {:.2f} s\n", times.last_push,
             times.first_box ? fmt::format("{:.2f} s", *times.first_box) : "the end", times.end);
}

void PrintJson(const Summary& summary) {
  nlohmann::json line = {{"session", summary.session},
                         {"job", summary.job.name()},
                         {"state", v1::JobState_Name(summary.job.state())},
                         {"planes_durable", summary.planes_durable},
                         {"push_ms", Spread(summary.pushes_ms)},
                         {"acknowledged_ms", Spread(summary.latencies_ms)},
                         {"last_plane_s", summary.times.last_push},
                         {"end_s", summary.times.end}};
  if (summary.times.first_box) line["first_box_s"] = *summary.times.first_box;
  std::cout << line.dump() << std::endl;
}

absl::Status Play(const Options& options) {
  const Shape5 shape{options.shape[0], options.shape[1], options.shape[2], options.shape[3], options.shape[4]};
  ASSIGN_OR_RETURN(const Client client, Client::Connect(options.server));
  ASSIGN_OR_RETURN(const std::string psf, UploadPsf(client, options.psf_side));
  v1::VolumeSpec input;
  *input.mutable_shape() = ToProto(shape);
  input.set_type(v1::U16);
  input.set_display_name("microscope example");
  Clocks clocks;
  AcquisitionOptions open;
  open.on_durable = [&clocks](int64_t t, int64_t c, int64_t z) { clocks.Durable(t, c, z); };
  ASSIGN_OR_RETURN(const auto stream, AcquisitionStream::Open(client, input, JobOf(options, psf), open));
  if (!options.json) fmt::print("session {}, {}\n", stream->session(), stream->opened().job().name());

  Camera camera(options, shape);
  Times times;
  std::vector<double> pushes_ms;
  const absl::Time start = absl::Now();
  const int64_t planes = shape.frames() * shape.z;
  for (int64_t i = 0; i < planes; ++i) {
    ASSIGN_OR_RETURN(const std::span<const std::byte> plane, camera.Next(options));
    const absl::Time due = start + absl::Seconds(static_cast<double>(i) / options.planes_per_second);
    do {
      ASSIGN_OR_RETURN(const auto ended,
                       Hear(*stream, start, std::max(due - absl::Now(), absl::ZeroDuration()), times));
      if (ended) return absl::AbortedError("the job ended while planes were recorded: " + ended->error().message());
    } while (absl::Now() < due);
    const int64_t frame = i / shape.z, t = frame / shape.c, c = frame % shape.c, z = i % shape.z;
    const absl::Time before = absl::Now();
    clocks.Pushed(t, c, z);
    RETURN_IF_ERROR(stream->Push(t, c, z, plane));
    pushes_ms.push_back(absl::ToDoubleMilliseconds(absl::Now() - before));
  }
  times.last_push = absl::ToDoubleSeconds(absl::Now() - start);
  RETURN_IF_ERROR(stream->Finish());
  std::optional<v1::Job> ended;
  while (!ended) {
    ASSIGN_OR_RETURN(ended, Hear(*stream, start, absl::Seconds(1), times));
  }
  times.end = absl::ToDoubleSeconds(absl::Now() - start);
  std::sort(pushes_ms.begin(), pushes_ms.end());
  const Summary summary{.session = stream->session(),
                        .planes_durable = stream->counts().planes_durable,
                        .pushes_ms = std::move(pushes_ms),
                        .latencies_ms = clocks.LatenciesMs(),
                        .times = times,
                        .job = *ended};
  if (options.json) {
    PrintJson(summary);
  } else {
    Print(summary);
  }
  if (ended->state() == v1::SUCCEEDED) return absl::OkStatus();
  return absl::AbortedError("the job did not succeed: " + ended->error().message());
}

}  // namespace
}  // namespace deconvoy::client

int main(int argc, char** argv) {
  deconvoy::client::Options options;
  CLI::App app("Plays a microscope into a deconvoy server, and tells how long planes and results take.");
  app.add_option("--server", options.server, "Address")->capture_default_str();
  app.add_option("--shape", options.shape, "T,C,Z,Y,X")->delimiter(',')->expected(5)->check(CLI::Range(1, 1 << 20));
  app.add_option("--planes-per-second", options.planes_per_second, "Rate")
      ->check(CLI::Range(0.001, 1e6))
      ->capture_default_str();
  app.add_option("--raw", options.raw, "File of raw u16 planes to play")->check(CLI::ExistingFile);
  app.add_option("--psf", options.psf_side, "Side of the PSF in voxels")
      ->check(CLI::Range(1, 255))
      ->capture_default_str();
  app.add_option("--iterations", options.iterations, "Of Richardson-Lucy")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_flag("--json", options.json, "Print one JSON object at the end");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = deconvoy::client::Play(options);
  if (status.ok()) return 0;
  fmt::print(stderr, "{}\n", std::string(status.message()));
  return 1;
}
