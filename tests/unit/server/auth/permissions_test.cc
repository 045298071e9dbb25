#include "server/auth/permissions.h"

#include <gmock/gmock.h>

#include <fstream>
#include <regex>
#include <vector>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::testing::UnorderedElementsAreArray;

// `Service.Method` of every call in the .proto files.
std::vector<std::string> CallsOfTheContract() {
  static const std::regex line_of(R"(^(service|  rpc) (\w+))");
  std::vector<std::string> calls;
  for (const auto& entry : std::filesystem::directory_iterator(testing::SourceDir() / "proto/deconvoy/v1")) {
    std::ifstream file(entry.path());
    std::string service;
    std::smatch match;
    for (std::string line; std::getline(file, line);) {
      if (!std::regex_search(line, match, line_of)) continue;
      if (match[1] == "service") {
        service = match[2];
      } else {
        calls.push_back(service + "." + match[2].str());
      }
    }
  }
  return calls;
}

v1::ErrorReason ReasonFor(v1::Role role, std::string_view rpc) {
  return ReasonOf(CheckRole({.owner = "ada", .role = role}, rpc));
}

TEST(Permissions, EveryCallOfTheContractHasOneRowAndNoOtherHas) {
  const std::vector<std::string> calls = CallsOfTheContract();
  ASSERT_GT(calls.size(), 30U);
  std::vector<std::string> rows;
  for (const Permission& row : Permissions()) rows.emplace_back(row.rpc);
  EXPECT_THAT(rows, UnorderedElementsAreArray(calls));
}

TEST(Permissions, WorkersMakeTheCallsOfWorkersAndNobodyElseDoes) {
  for (const Permission& row : Permissions()) {
    const bool of_workers = row.rpc.starts_with("Workers.");
    EXPECT_EQ(row.worker, of_workers) << row.rpc;
    EXPECT_NE(row.admin, of_workers) << row.rpc;
    EXPECT_TRUE(row.admin || !row.user) << row.rpc << ": an admin may do what a user may";
  }
}

TEST(Permissions, UsersDoNotAdminister) {
  for (const char* rpc :
       {"Admin.CreateUser", "Admin.UpdateUser", "Admin.ListUsers", "Admin.SetGroupWeight", "Admin.ListGroups",
        "Admin.CreateToken", "Admin.DrainWorker", "Admin.PauseServer", "Admin.ExportUsage"}) {
    EXPECT_EQ(ReasonFor(v1::USER, rpc), v1::ROLE_NOT_ALLOWED) << rpc;
    EXPECT_OK(CheckRole({.owner = "ada", .role = v1::ADMIN}, rpc));
  }
}

TEST(Permissions, WhatIsNotInTheTableIsForNobody) {
  for (const v1::Role role : {v1::ROLE_UNSPECIFIED, v1::USER, v1::WORKER, v1::ADMIN}) {
    EXPECT_EQ(ReasonFor(role, "Admin.Unheard"), v1::ROLE_NOT_ALLOWED);
  }
  for (const Permission& row : Permissions()) EXPECT_EQ(ReasonFor(v1::ROLE_UNSPECIFIED, row.rpc), v1::ROLE_NOT_ALLOWED);
}

TEST(Permissions, WhatRemovesOrChangesRightsIsAudited) {
  for (const char* rpc : {"Volumes.Delete", "Jobs.Delete", "Psfs.Delete", "Admin.DrainWorker", "Admin.CreateUser",
                          "Admin.UpdateUser", "Admin.SetGroupWeight", "Admin.CreateToken", "Admin.RevokeToken"}) {
    ASSERT_NE(FindPermission(rpc), nullptr) << rpc;
    EXPECT_TRUE(FindPermission(rpc)->audited) << rpc;
  }
  EXPECT_FALSE(FindPermission("Volumes.Read")->audited);
}

TEST(Permissions, ModelsThatAreProgramsAreForAdmins) {
  v1::JobSpec spec;
  spec.mutable_check_model()->set_format(v1::TORCHSCRIPT);
  EXPECT_EQ(ReasonOf(CheckWork({.owner = "ada", .role = v1::USER}, spec)), v1::ROLE_NOT_ALLOWED);
  EXPECT_OK(CheckWork({.owner = "ada", .role = v1::ADMIN}, spec));
  spec.mutable_check_model()->set_format(v1::SAFETENSORS);
  EXPECT_OK(CheckWork({.owner = "ada", .role = v1::USER}, spec));
}

TEST(Permissions, ThePageIsUpToDate) {
  std::ifstream file(testing::SourceDir() / "docs" / "permissions.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(page, PermissionsPage()) << "write it anew: deconvoyd --print-permissions > docs/permissions.md";
}

}  // namespace
}  // namespace deconvoy::server
