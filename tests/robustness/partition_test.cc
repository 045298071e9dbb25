// A worker that the network cuts off while it computes: its task is done by another one, and what it brings when the
// network is whole again changes nothing.
//
// The network is away for $DECONVOY_PARTITION_SECONDS (default 9, at least the three leases that these are).
//
// The test, its server and its workers live in a network namespace of their own, whose loopback interface goes down;
// a Unix socket goes on. Making one takes rights that not every account has: SKIPPED without them.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"
#include "worker/session/server_link.h"

namespace deconvoy::testing {
namespace {

// A network of this process and its children alone, with nothing but a loopback interface; the old one comes back at
// the end.
class OwnNetwork {
 public:
  OwnNetwork() : before_(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    own_ = before_ >= 0 && unshare(CLONE_NEWNET) == 0;
    if (!own_) error_ = std::strerror(errno);
    if (own_) SetUp(true);
  }
  ~OwnNetwork() {
    if (own_) setns(before_, CLONE_NEWNET);
    if (before_ >= 0) close(before_);
  }
  OwnNetwork(const OwnNetwork&) = delete;
  OwnNetwork& operator=(const OwnNetwork&) = delete;

  bool own() const { return own_; }
  const std::string& error() const { return error_; }

  // Takes the loopback interface up or down.
  static void SetUp(bool up) {
    const int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::strncpy(request.ifr_name, "lo", sizeof request.ifr_name - 1);
    ASSERT_EQ(ioctl(any, SIOCGIFFLAGS, &request), 0) << std::strerror(errno);
    request.ifr_flags = static_cast<short>(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    ASSERT_EQ(ioctl(any, SIOCSIFFLAGS, &request), 0) << std::strerror(errno);
    close(any);
  }

 private:
  const int before_;
  bool own_ = false;
  std::string error_;
};

constexpr const char* kPort = "127.0.0.1:7450";
constexpr int kLeastPartition = 9;  // seconds: three leases

constexpr std::chrono::seconds kBack{60};  // a connection may notice late that it is whole again

std::chrono::seconds Partition() {
  const char* text = std::getenv("DECONVOY_PARTITION_SECONDS");
  return std::chrono::seconds(text != nullptr ? std::atoi(text) : kLeastPartition);
}

class PartitionTest : public ::testing::Test {
 protected:
  std::string file(const std::string& name) const { return (folder_.path() / name).string(); }

  std::vector<std::string> Job(const std::string& verb) const {
    return {verb,     file("raw.ome.tif"), "--psf", file("psf.ome.tif"), "--iterations", "400", "--background", "5",
            "--tile", "12,32,32"};
  }

  // One that reaches the server through the network, and streams its voxels.
  std::unique_ptr<Process> StartFarWorker() const {
    return std::make_unique<Process>("deconvoy-worker",
                                     std::vector<std::string>{"--server", kPort, "--credential-file",
                                                              (server_.state() / "worker.credential").string(),
                                                              "--threads", "1", "--state", PlanCache().string()},
                                     Process::Options{{}, folder_.path(), "far"});
  }

  bool SomeWorkerIs(const std::string& state) const {
    return server_.Cli({"workers", "--json"}).out.find("\"" + state + "\"") != std::string::npos;
  }

  // A task that a worker holds.
  struct Lease {
    std::string worker, task;
    uint64_t token = 0;
  };

  // The newest one of all workers, as the server knows it; token 0 where there is none.
  Lease NewestLease() const {
    Lease newest;
    std::istringstream workers(server_.Cli({"workers", "--json"}).out);
    for (std::string line; std::getline(workers, line);) {
      const auto worker = nlohmann::json::parse(line, nullptr, false);
      if (worker.is_discarded() || !worker.contains("tasks")) continue;
      for (const auto& task : worker["tasks"]) {
        const uint64_t token = task.value("token", uint64_t{0});
        if (token > newest.token) newest = {worker.value("name", ""), task.value("task", ""), token};
      }
    }
    return newest;
  }

  // What the server answers to a delivery under this lease.
  absl::Status Deliver(const Lease& lease) const {
    ASSIGN_OR_RETURN(const auto link,
                     worker::ServerLink::Open(server_.address(), server_.state() / "worker.credential"));
    const auto context = link->NewContext(std::chrono::seconds(30));
    v1::DeliverOutputResponse response;
    const auto writer = link->stub().DeliverOutput(context.get(), &response);
    v1::DeliverOutputRequest request;
    request.mutable_header()->set_worker(lease.worker);
    request.mutable_header()->set_task(lease.task);
    request.mutable_header()->set_token(lease.token);
    writer->Write(request);
    writer->WritesDone();
    return worker::FromGrpc(writer->Finish());
  }

  const TemporaryFolder folder_;
  ServerProcess server_{folder_.path(), 0};
};

TEST_F(PartitionTest, TheTaskOfACutOffWorkerIsDoneByAnotherAndItsOwnResultIsRefused) {
  const OwnNetwork network;
  ASSERT_GE(Partition().count(), kLeastPartition) << "$DECONVOY_PARTITION_SECONDS is less than three leases";
  if (!network.own()) GTEST_SKIP() << "SKIPPED: no network namespace can be made here: " << network.error();
  Simulate(folder_.path(), "24,64,64", 5);
  ASSERT_TRUE(server_.Start({}, {"--listen", kPort})) << server_.Log();

  auto near = server_.StartWorker("calm");
  const CliResult calm = server_.Cli(With(Job("run"), {"-o", file("calm.tif")}));
  ASSERT_EQ(calm.exit.code, 0) << calm.err << server_.Log();
  near.reset();

  const auto far = StartFarWorker();
  const CliResult submitted = server_.Cli(With(Job("submit"), {"--json"}));
  ASSERT_EQ(submitted.exit.code, 0) << submitted.err;
  const std::string job = LastJson(submitted.out)["job"].value("name", "");
  // The analysis is done, and it computes a tile.
  ASSERT_TRUE(Eventually([&] {
    const auto shown = LastJson(server_.Cli({"job", job, "--json"}).out);
    return !shown.is_discarded() && shown["progress"].value("tasks_done", 0) >= 1 && SomeWorkerIs("BUSY");
  })) << server_.Log();

  OwnNetwork::SetUp(false);
  const Lease lost = NewestLease();
  ASSERT_GT(lost.token, 0U) << "it held nothing when the network went";
  near = server_.StartWorker("near");
  const auto whole_again = std::chrono::steady_clock::now() + Partition();
  EXPECT_TRUE(Eventually([&] { return server_.Log().find("returned to the queue") != std::string::npos; }))
      << server_.Log();
  std::this_thread::sleep_until(whole_again);
  EXPECT_TRUE(far->Running()) << far->Errors();
  OwnNetwork::SetUp(true);

  const CliResult watched = server_.Cli({"watch", job});
  ASSERT_EQ(watched.exit.code, 0) << watched.err << server_.Log();
  EXPECT_EQ(ReasonOf(Deliver(lost)), v1::STALE_LEASE) << "what came late was taken: " << server_.Log();
  EXPECT_TRUE(Eventually([&] { return far->Errors().find("the server is back") != std::string::npos; }, kBack))
      << far->Errors();
  EXPECT_TRUE(Eventually([&] { return far->Errors().find("dropped: ") != std::string::npos; }, kBack))
      << "it takes what it brought late for done: " << far->Errors();
  const CliResult fetched = server_.Cli({"fetch", job, "-o", file("cut.tif")});
  ASSERT_EQ(fetched.exit.code, 0) << fetched.err;
  ASSERT_OK_AND_ASSIGN(const Image expected, LoadImage(file("calm.tif")));
  ASSERT_OK_AND_ASSIGN(const Image result, LoadImage(file("cut.tif")));
  EXPECT_TRUE(result.voxels == expected.voxels) << RelativeL2(result.voxels, expected.voxels);

  // It is a worker like any other again.
  near.reset();
  const CliResult again = server_.Cli(With(Job("run"), {"-o", file("again.tif")}));
  EXPECT_EQ(again.exit.code, 0) << again.err << far->Errors();
}

}  // namespace
}  // namespace deconvoy::testing
