// deconvoy-bench clients: many clients at a running server, each on a connection of its own, that submit small jobs and
// watch them to their end, over and over: how long unary calls take meanwhile, and what goes wrong.
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "client/cpp/client.h"
#include "deconvoy/v1/jobs.grpc.pb.h"
#include "proto/contract/volume_layout.h"
#include "tests/bench/commands.h"
#include "tests/bench/measure.h"

namespace deconvoy::bench {
namespace {

struct Options {
  std::string server;
  int clients = 200;
  double seconds = 60;
};

// What the clients have met with. Thread safe.
class Tally {
 public:
  void Took(const std::string& rpc, double seconds) {
    const std::lock_guard lock(mutex_);
    seconds_[rpc].push_back(seconds);
  }
  void Failed(const std::string& rpc, const std::string& why) {
    const std::lock_guard lock(mutex_);
    ++errors_[fmt::format("{}: {}", rpc, why)];
  }

  // Once all clients have ended.
  nlohmann::json Told() {
    std::vector<double> unary;
    nlohmann::json calls;
    for (auto& [rpc, seconds] : seconds_) {
      if (rpc != "Watch") unary.insert(unary.end(), seconds.begin(), seconds.end());
      calls[rpc] = {
          {"calls", seconds.size()}, {"median_seconds", Median(seconds)}, {"p99_seconds", Percentile99(seconds)}};
    }
    return {{"calls", calls}, {"unary_p99_seconds", Percentile99(std::move(unary))}, {"errors", errors_}};
  }

 private:
  static double Percentile99(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return values[(values.size() * 99 - 1) / 100];
  }

  std::mutex mutex_;
  std::map<std::string, std::vector<double>> seconds_;  // guarded by mutex_
  std::map<std::string, int64_t> errors_;               // guarded by mutex_
};

std::string UploadConstant(const client::Client& client, const Shape3& shape, std::byte value) {
  v1::VolumeSpec spec;
  *spec.mutable_shape() = ToProto(Shape5{1, 1, shape.z, shape.y, shape.x});
  spec.set_type(v1::U8);
  return Value(client.Upload(spec, [value](int64_t, int64_t, int64_t, std::span<std::byte> plane) {
    std::ranges::fill(plane, value);
    return absl::OkStatus();
  }));
}

v1::JobSpec SmallJob(const std::string& image, const std::string& psf) {
  v1::JobSpec job;
  v1::DeconvolveSpec& work = *job.mutable_deconvolve();
  work.set_input_volume(image);
  work.set_psf_volume(psf);
  work.set_method("rl");
  (*work.mutable_parameters())["iterations"] = "2";
  work.set_background_counts(1);
  return job;
}

// One of the clients.
class Caller {
 public:
  Caller(const std::string& server, int number, Tally& tally) : number_(number), tally_(tally) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection that is not shared
    stub_ = v1::Jobs::NewStub(grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments));
  }

  // From the submission of a job to its deletion; false where something fails.
  bool RunJob(const v1::JobSpec& spec) {
    v1::SubmitJobRequest submission;
    submission.set_request_id(
        fmt::format("clients-{}-{}-{}", Clock::now().time_since_epoch().count(), number_, ++jobs_));
    *submission.mutable_spec() = spec;
    v1::Job job;
    if (!Time("Submit", [&](auto* context) { return stub_->Submit(context, submission, &job); })) return false;
    v1::WatchJobRequest watch;
    watch.set_job(job.name());
    v1::JobEvent last;
    if (!Time("Watch", [&](auto* context) {
          const auto events = stub_->Watch(context, watch);
          for (v1::JobEvent event; events->Read(&event);) last = event;
          return events->Finish();
        })) {
      return false;
    }
    if (last.ended().state() != v1::SUCCEEDED) {
      tally_.Failed("Watch", fmt::format("the job ended as {}", v1::JobState_Name(last.ended().state())));
    }
    v1::GetJobRequest get;
    get.set_job(job.name());
    v1::DeleteJobRequest remove;
    remove.set_job(job.name());
    v1::DeleteJobResponse removed;
    return Time("Get", [&](auto* context) { return stub_->Get(context, get, &job); }) &&
           Time("Delete", [&](auto* context) { return stub_->Delete(context, remove, &removed); });
  }

 private:
  template <typename Call>
  bool Time(const char* rpc, Call call) {
    grpc::ClientContext context;
    const auto start = Clock::now();
    const grpc::Status status = call(&context);
    if (status.ok()) {
      tally_.Took(rpc, SecondsSince(start));
    } else {
      tally_.Failed(rpc, status.error_message());
    }
    return status.ok();
  }

  const int number_;
  Tally& tally_;
  std::unique_ptr<v1::Jobs::Stub> stub_;
  int64_t jobs_ = 0;
};

nlohmann::json Measure(const Options& options) {
  const client::Client setup = Value(client::Client::Connect(options.server));
  const std::string image = UploadConstant(setup, {8, 32, 32}, std::byte{9});
  const std::string psf = UploadConstant(setup, {3, 3, 3}, std::byte{1});
  const v1::JobSpec job = SmallJob(image, psf);
  Tally tally;
  std::vector<std::thread> threads;
  const auto start = Clock::now();
  for (int i = 0; i < options.clients; ++i) {
    threads.emplace_back([&, i] {
      Caller caller(options.server, i, tally);
      while (SecondsSince(start) < options.seconds && caller.RunJob(job)) {
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = SecondsSince(start);
  Check(setup.DeleteVolume(image));
  Check(setup.DeleteVolume(psf));
  nlohmann::json told = tally.Told();
  told["clients"] = options.clients;
  told["seconds"] = seconds;
  return told;
}

void Report(const nlohmann::json& r) {
  fmt::print("{} clients for {:.0f} s\n", r["clients"].get<int>(), r["seconds"].get<double>());
  for (const auto& [rpc, of] : r["calls"].items()) {
    fmt::print("  {:8}{:8} calls, median {:8.1f} ms, 99th percentile {:8.1f} ms\n", rpc, of["calls"].get<int64_t>(),
               1e3 * of["median_seconds"].get<double>(), 1e3 * of["p99_seconds"].get<double>());
  }
  for (const auto& [what, times] : r["errors"].items()) fmt::print("  {} times {}\n", times.get<int64_t>(), what);
}

}  // namespace

Command AddClients(CLI::App& root) {
  auto* app = root.add_subcommand("clients", "many clients that submit small jobs and watch them");
  const auto options = std::make_shared<Options>();
  app->add_option("--server", options->server, "address of a running server")->required();
  app->add_option("--clients", options->clients)->check(CLI::Range(1, 250))->capture_default_str();
  app->add_option("--seconds", options->seconds, "after which no further job is submitted")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  return {app, [options] { return Measure(*options); }, Report};
}

}  // namespace deconvoy::bench
