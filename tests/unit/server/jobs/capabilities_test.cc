#include "server/jobs/capabilities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

v1::Method Named(const std::string& name, const std::string& backend) {
  v1::Method method;
  method.set_name(name);
  method.add_backends(backend);
  return method;
}

TEST(CapabilitiesTest, MethodsStayKnownAndGatherBackends) {
  Capabilities capabilities;
  EXPECT_EQ(ReasonOf(capabilities.FindMethod("rl", "f").status()), v1::NO_WORKER);
  capabilities.AddMethods({Named("wiener", "cpu"), Named("rl", "cpu")});
  capabilities.AddMethods({Named("rl", "cuda")});
  ASSERT_OK_AND_ASSIGN(const v1::Method method, capabilities.FindMethod("rl", "f"));
  EXPECT_THAT(method.backends(), ::testing::UnorderedElementsAre("cpu", "cuda"));
  ASSERT_EQ(capabilities.Methods().size(), 2U);
  EXPECT_EQ(capabilities.Methods()[0].name(), "rl") << "by name";
}

TEST(CapabilitiesTest, WhoCannotRunAMethodLendsItNoBackend) {
  v1::Method missing = Named("network", "cuda");
  missing.set_unavailable("it was built without LibTorch");
  for (const bool able_first : {true, false}) {
    Capabilities capabilities;
    for (const bool able : {able_first, !able_first})
      capabilities.AddMethods({able ? Named("network", "cpu") : missing});
    ASSERT_OK_AND_ASSIGN(const v1::Method method, capabilities.FindMethod("network", "f"));
    EXPECT_THAT(method.backends(), ::testing::ElementsAre("cpu")) << able_first;
    EXPECT_EQ(method.unavailable(), "");
  }
}

TEST(CapabilitiesTest, AnUnknownMethodNamesTheNearest) {
  Capabilities capabilities;
  capabilities.AddMethods({Named("wiener", "cpu"), Named("landweber", "cpu")});
  const absl::Status near = capabilities.FindMethod("weiner", "deconvolve.method").status();
  EXPECT_EQ(ReasonOf(near), v1::UNKNOWN_METHOD);
  EXPECT_EQ(InfoOf(near).field(), "deconvolve.method");
  EXPECT_THAT(InfoOf(near).remedy(), ::testing::HasSubstr("`wiener`"));
  EXPECT_THAT(InfoOf(capabilities.FindMethod("x", "f").status()).remedy(),
              ::testing::AllOf(::testing::HasSubstr("wiener"), ::testing::HasSubstr("landweber")));
}

TEST(CapabilitiesTest, MemoryIsThatOfTheLargestLiveWorker) {
  v1::FftCosts measured;
  measured.add_columns()->set_extent(99);
  measured.mutable_columns(0)->set_cost(4321);
  Capabilities capabilities;
  EXPECT_EQ(capabilities.Machine("", "").memory_budget_bytes, 0);
  capabilities.SetExpectedMemory(7);
  EXPECT_EQ(capabilities.Machine("", "").memory_budget_bytes, 7) << "nobody is there yet";
  capabilities.SetWorker("a", {.backend = "cpu", .machine = {.memory_budget_bytes = 3, .fft_costs = {}}, .rate = 10});
  capabilities.SetWorker("b", {.backend = "cuda",
                               .machine = {.memory_budget_bytes = 5, .fft_costs = *FftCosts::FromProto(measured)},
                               .rate = 100});
  EXPECT_EQ(capabilities.Machine("", "").memory_budget_bytes, 5);
  EXPECT_EQ(capabilities.Machine("", "").fft_costs.At(99, FftAxis::kColumn), 4321)
      << "of the worker that is planned for";
  EXPECT_EQ(capabilities.Machine("cpu", "").memory_budget_bytes, 3);
  EXPECT_NE(capabilities.Machine("cpu", "").fft_costs.At(99, FftAxis::kColumn), 4321);
  EXPECT_EQ(capabilities.Rate(""), 110);
  EXPECT_EQ(capabilities.Rate("cuda"), 100);
  capabilities.RemoveWorker("b");
  EXPECT_FALSE(capabilities.HasWorker("cuda"));
  EXPECT_TRUE(capabilities.HasWorker(""));
  EXPECT_EQ(capabilities.Machine("cuda", "").memory_budget_bytes, 7);
}

TEST(CapabilitiesTest, PlansForTheLastToLeaveWhereNoneIsExpected) {
  Capabilities capabilities;
  capabilities.SetWorker("a", {.backend = "cpu", .machine = {.memory_budget_bytes = 3, .fft_costs = {}}});
  capabilities.RemoveWorker("a");
  capabilities.RemoveWorker("unknown");
  EXPECT_EQ(capabilities.Machine("", "").memory_budget_bytes, 3) << "0 would mean that memory has no limit";
  EXPECT_EQ(capabilities.Machine("cpu", "").memory_budget_bytes, 3);
  EXPECT_EQ(capabilities.Machine("cuda", "").memory_budget_bytes, 0) << "none of these has ever been there";
  capabilities.SetWorker("b", {.backend = "cpu", .machine = {.memory_budget_bytes = 2, .fft_costs = {}}});
  EXPECT_EQ(capabilities.Machine("cpu", "").memory_budget_bytes, 2) << "it is alive";
}

TEST(CapabilitiesTest, CountsTheWorkersThatAPlanIsFor) {
  Capabilities capabilities;
  EXPECT_EQ(capabilities.Machines("", ""), 1) << "one will come";
  const auto set = [&](const std::string& id, const std::string& backend, int64_t bytes) {
    capabilities.SetWorker(id, {.backend = backend, .machine = {.memory_budget_bytes = bytes, .fft_costs = {}}});
  };
  set("a", "cpu", 5);
  set("b", "cpu", 5);
  set("c", "cpu", 4);
  set("d", "cuda", 7);
  EXPECT_EQ(capabilities.Machines("cpu", ""), 2) << "the third is too small for their tiles";
  EXPECT_EQ(capabilities.Machines("cuda", ""), 1);
  EXPECT_EQ(capabilities.Machines("", ""), 1);
  capabilities.RemoveWorker("d");
  EXPECT_EQ(capabilities.Machines("", ""), 2);
}

// Tiles for the faster of two backends, though the other has more memory.
TEST(CapabilitiesTest, PlansForTheBackendThatIsFastestTogether) {
  Capabilities capabilities;
  const auto set = [&](const std::string& id, const std::string& backend, int64_t bytes, double rate,
                       const std::set<std::string>& methods) {
    capabilities.SetWorker(id, {.backend = backend,
                                .machine = {.memory_budget_bytes = bytes, .fft_costs = {}},
                                .rate = rate,
                                .methods = methods});
  };
  set("a", "cpu", 128, 10, {"rl", "learned"});
  set("b", "cpu", 64, 10, {"rl", "learned"});
  set("c", "cuda", 80, 900, {"rl"});
  EXPECT_EQ(capabilities.Machine("", "rl").memory_budget_bytes, 80);
  EXPECT_EQ(capabilities.Machines("", "rl"), 1);
  EXPECT_EQ(capabilities.Machine("cpu", "rl").memory_budget_bytes, 128) << "as asked for";
  EXPECT_EQ(capabilities.Machine("", "learned").memory_budget_bytes, 128) << "the other backend lacks it";
  EXPECT_EQ(capabilities.Machine("", "unheard-of").memory_budget_bytes, 80) << "nobody knows it, so that all count";
  EXPECT_EQ(capabilities.LargestBudget(""), 128) << "for what is not cut into tiles";
  EXPECT_EQ(capabilities.LargestBudget("cuda"), 80);
  set("d", "cpu", 64, 900, {"rl"});
  EXPECT_EQ(capabilities.Machine("", "rl").memory_budget_bytes, 128) << "many slow ones are faster together";
  EXPECT_EQ(capabilities.Machines("", "rl"), 1);
}

// Of two GPUs of different size, that which holds the larger tile.
TEST(CapabilitiesTest, OfOneBackendTheLargestDecidesWhateverItsRate) {
  Capabilities capabilities;
  capabilities.SetWorker("a", {.backend = "cuda", .machine = {.memory_budget_bytes = 24, .fft_costs = {}}, .rate = 5});
  capabilities.SetWorker("b", {.backend = "cuda", .machine = {.memory_budget_bytes = 80, .fft_costs = {}}, .rate = 1});
  EXPECT_EQ(capabilities.Machine("", "").memory_budget_bytes, 80);
  EXPECT_EQ(capabilities.Machines("", ""), 1);
}

FftCosts CostsOf99(uint32_t cost) {
  v1::FftCosts measured;
  measured.add_columns()->set_extent(99);
  measured.mutable_columns(0)->set_cost(cost);
  return FftCosts::FromProto(measured).value();
}

TEST(CapabilitiesTest, CostsAreThoseOfAWorkerThatHasMeasured) {
  for (const bool measured_first : {false, true}) {
    Capabilities capabilities;
    capabilities.SetWorker(measured_first ? "a" : "b",
                           {.backend = "cpu", .machine = {.memory_budget_bytes = 3, .fft_costs = CostsOf99(4321)}});
    capabilities.SetWorker(measured_first ? "b" : "a",
                           {.backend = "cpu", .machine = {.memory_budget_bytes = 3, .fft_costs = {}}});
    EXPECT_EQ(capabilities.Machine("", "").fft_costs.At(99, FftAxis::kColumn), 4321) << measured_first;
  }
}

TEST(CapabilitiesTest, OfEqualWorkersIdsDoNotDecide) {
  int64_t costs[2];
  for (const bool swapped : {false, true}) {
    Capabilities capabilities;
    capabilities.SetWorker(
        "a", {.backend = "cpu", .machine = {.memory_budget_bytes = 3, .fft_costs = CostsOf99(swapped ? 2000 : 3000)}});
    capabilities.SetWorker(
        "b", {.backend = "cpu", .machine = {.memory_budget_bytes = 3, .fft_costs = CostsOf99(swapped ? 3000 : 2000)}});
    costs[swapped ? 1 : 0] = capabilities.Machine("", "").fft_costs.At(99, FftAxis::kColumn);
  }
  EXPECT_EQ(costs[0], costs[1]);
}

TEST(CapabilitiesTest, AWorkerOfUnknownMemoryHasCostsToo) {
  Capabilities capabilities;
  capabilities.SetExpectedMemory(7);
  capabilities.SetWorker("a", {.backend = "cpu", .machine = {.memory_budget_bytes = 0, .fft_costs = CostsOf99(4321)}});
  EXPECT_EQ(capabilities.Machine("", "").memory_budget_bytes, 7);
  EXPECT_EQ(capabilities.Machine("", "").fft_costs.At(99, FftAxis::kColumn), 4321);
  EXPECT_NE(capabilities.Machine("cuda", "").fft_costs.At(99, FftAxis::kColumn), 4321);
}

TEST(CapabilitiesTest, SaysWhatATaskWaitsFor) {
  constexpr int64_t kGiB = int64_t{1} << 30;
  Capabilities capabilities;
  EXPECT_EQ(capabilities.Lacking("", "", 0), "a worker: none takes tasks");
  EXPECT_EQ(capabilities.Lacking("cuda", "", kGiB), "a `cuda` worker with 1.0 GiB of memory: none takes tasks");
  capabilities.SetWorker("a", {.backend = "cpu", .machine = {.memory_budget_bytes = 2 * kGiB, .fft_costs = {}}});
  EXPECT_EQ(capabilities.Lacking("", "", 2 * kGiB), "");
  EXPECT_EQ(capabilities.Lacking("cpu", "", 2 * kGiB + 1), "a `cpu` worker with 2.1 GiB of memory");
  EXPECT_EQ(capabilities.Lacking("cuda", "", 5 << 20), "a `cuda` worker with 5 MiB of memory");
  capabilities.SetWorker("b", {.backend = "cuda", .machine = {}});
  EXPECT_EQ(capabilities.Lacking("cuda", "", 100 * kGiB), "") << "its memory is not known";
  const uint64_t before = capabilities.version();
  capabilities.RemoveWorker("b");
  EXPECT_GT(capabilities.version(), before);
  EXPECT_EQ(capabilities.Lacking("", "blind-rl", kGiB), "a worker that knows `blind-rl` with 1.0 GiB of memory");
  capabilities.SetWorker(
      "a",
      {.backend = "cpu", .machine = {.memory_budget_bytes = 2 * kGiB, .fft_costs = {}}, .methods = {"rl", "blind-rl"}});
  EXPECT_EQ(capabilities.Lacking("", "blind-rl", kGiB), "");
  EXPECT_EQ(capabilities.Lacking("", "blind-rl", 3 * kGiB), "a worker with 3.0 GiB of memory") << "it knows the method";
  capabilities.SetPaused(true);
  EXPECT_EQ(capabilities.Lacking("", "", 0), "an administrator, who has paused the server");
  capabilities.SetPaused(false);
  EXPECT_EQ(capabilities.Lacking("", "", 0), "");
}

}  // namespace
}  // namespace deconvoy::server
