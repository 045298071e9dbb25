// Messages that never come whole, and those whose bytes are none of their kind.
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <list>
#include <thread>

#include "server/api/reflection_limit.h"
#include "server/auth/permissions.h"
#include "tests/unit/server/api/raw_connection.h"
#include "tests/unit/server/api/security_fixture.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A field without its value.
const std::string kGarbled = "\xff\xff";

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMemoryIsOurs = false;
#else
constexpr bool kMemoryIsOurs = true;
#endif

int64_t ResidentBytes() {
  int64_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

constexpr int kMostTries = 1000;

// What strangers held is given back some time after they have left.
template <class Done>
int TriesUntil(Done done) {
  int tries = 0;
  for (; tries < kMostTries && !done(); ++tries) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return tries;
}

class MessagesApiTest : public SecurityApiTest {
 protected:
  // How much this process grows by 4 peers without a token that begin 100 messages each and send 600 kB of every one.
  int64_t GrowthByStrangers(const std::string& method) {
    const int64_t before = ResidentBytes();
    std::list<RawConnection> strangers;
    for (int i = 0; i < 4; ++i) strangers.emplace_back(address_.path).Greet(true);
    for (int call = 0; call < 100; ++call) {
      for (RawConnection& stranger : strangers) {
        const auto stream = static_cast<uint8_t>(2 * call + 1);
        stranger.Begin(method, 0, stream);
        stranger.SendPartOfAMessage(stream, 600'000);
      }
    }
    const int64_t growth = ResidentBytes() - before;
    EXPECT_TRUE(method.starts_with("/grpc.") || Make("Volumes.List", ada_).ok()) << "who has a token is served";
    return growth;
  }

  // What a worker or user who makes this call with `messages` is told.
  v1::ErrorReason Told(std::string_view rpc, const std::string& authorization,
                       const std::vector<std::string>& messages) {
    const grpc::Status status = CallWithMessages(channel_, MethodOf(rpc), messages, nullptr, authorization);
    EXPECT_FALSE(status.ok()) << rpc;
    return ReasonOf(status);
  }
};

TEST_F(MessagesApiTest, AStrangersCallEndsBeforeItsMessageHasCome) {
  for (const Permission& row : Permissions()) {
    RawConnection stranger(address_.path);
    stranger.Greet(true);
    stranger.Begin(MethodOf(row.rpc));
    stranger.SendHalfAMessage();
    bool answered = false;
    EXPECT_EQ(stranger.Status(&answered), "16") << row.rpc;
    ASSERT_FALSE(HasFailure()) << row.rpc;
  }
}

TEST_F(MessagesApiTest, HalfMessagesOfStrangersTakeNoMemory) {
  if (!kMemoryIsOurs) GTEST_SKIP() << "SKIPPED: with sanitizers, memory is not that of the programs";
  EXPECT_LT(GrowthByStrangers(MethodOf("Volumes.Create")), 60'000'000);
}

TEST_F(MessagesApiTest, HalfMessagesToWhatAnswersEverybodyTakeBoundedMemory) {
  if (!kMemoryIsOurs) GTEST_SKIP() << "SKIPPED: with sanitizers, memory is not that of the programs";
  // 80 MiB may be gRPC's, for 16 calls; what is begun is 240 MB.
  EXPECT_LT(GrowthByStrangers("/grpc.health.v1.Health/Check"), 160'000'000);
  const int tries = TriesUntil([this] { return Make("Volumes.List", ada_).ok(); });
  EXPECT_LT(tries, kMostTries) << "who has a token is not served again";
}

TEST_F(MessagesApiTest, ReflectionLeavesThreadsToOthers) {
  const std::string method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  const auto status = [&] { return CallRaw(channel_, method, "\x3a\x01*", nullptr).error_code(); };
  EXPECT_EQ(status(), grpc::StatusCode::OK);
  {
    RawConnection stranger(address_.path);
    stranger.Greet(true);
    // Some may come while a call of ours is open, and find no place.
    for (int call = 0; call < 4 * kOpenReflections; ++call) {
      stranger.Begin(method, 0, static_cast<uint8_t>(2 * call + 1));
      status();
    }
    EXPECT_EQ(status(), grpc::StatusCode::CANCELLED);
    EXPECT_TRUE(Make("Volumes.List", ada_).ok());
  }
  const int tries = TriesUntil([&] { return status() == grpc::StatusCode::OK; });
  EXPECT_LT(tries, kMostTries) << "those that are over still count";
}

TEST_F(MessagesApiTest, AMessageThatCannotBeReadIsNoFaultOfTheServers) {
  const std::pair<std::string, bool Permission::*> callers[] = {
      {"", nullptr}, {ada_, &Permission::user}, {node_, &Permission::worker}, {admin_, &Permission::admin}};
  for (const Permission& row : Permissions()) {
    for (const auto& [authorization, may] : callers) {
      const v1::ErrorReason expected = may == nullptr ? row.worker ? v1::UNAUTHENTICATED_WORKER : v1::NO_TOKEN
                                       : row.*may     ? v1::INVALID_FIELD
                                                      : v1::ROLE_NOT_ALLOWED;
      EXPECT_EQ(Told(row.rpc, authorization, {kGarbled}), expected) << row.rpc;
    }
  }
  EXPECT_TRUE(Make("Volumes.List", ada_).ok());
  EXPECT_THAT(log_.str(), Not(HasSubstr("[error]")));
  EXPECT_THAT(log_.str(), Not(HasSubstr("INTERNAL:")));
}

TEST_F(MessagesApiTest, ACallWithoutItsMessageIsRefused) {
  for (const Permission& row : Permissions()) {
    if (row.rpc == "Volumes.Write" || row.rpc == "Deconvolution.Deconvolve") continue;  // where nothing was asked
    EXPECT_EQ(Told(row.rpc, row.worker ? node_ : admin_, {}), v1::INVALID_FIELD) << row.rpc;
  }
}

TEST_F(MessagesApiTest, AnUploadDoesNotTakeItForTheEnd) {
  const v1::VolumeSpec spec = Spec(2, 4, 4);
  v1::WriteVolumeRequest write;
  write.set_volume(VolumeOf(ada_, "upload", spec));
  *write.mutable_chunk() = Planes(spec, 0, 1);
  EXPECT_EQ(Told("Volumes.Write", ada_, {write.SerializeAsString(), kGarbled}), v1::INVALID_FIELD);
  v1::GetVolumeRequest get;
  get.set_volume(write.volume());
  std::string answer;
  ASSERT_TRUE(Make("Volumes.Get", ada_, get.SerializeAsString(), &answer).ok());
  v1::Volume volume;
  ASSERT_TRUE(volume.ParseFromString(answer));
  EXPECT_EQ(volume.committed_bytes(), 16U) << "what came before is good";
}

}  // namespace
}  // namespace deconvoy::server
