#include "server/jobs/file_roots.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

FileRights RightsOf(const std::string& owner) {
  if (owner == "admin") return {.all = true};
  if (owner == "ada") return {.roots = {"in", "gone"}};
  return {};
}

class FileRootsTest : public ::testing::Test {
 protected:
  v1::ErrorReason ReasonFor(const std::string& owner, const std::string& file, bool write = false) {
    const absl::Status status = roots_.Check(owner, file, "f", write);
    EXPECT_FALSE(InfoOf(status).remedy().empty()) << status;
    return ReasonOf(status);
  }

  testing::TemporaryFolder folder_;
  FileRoots roots_{{{.name = "out", .path = folder_.path(), .writable = true}, {.name = "in", .path = folder_.path()}},
                   RightsOf};
};

TEST_F(FileRootsTest, EachOwnerUsesTheirOwn) {
  EXPECT_OK(roots_.Check("ada", "in/a.tif", "f", false));
  EXPECT_EQ(ReasonFor("ada", "out/a.tif"), v1::NOT_FOUND) << "it is not told from one that is not there";
  EXPECT_EQ(ReasonFor("ada", "gone/a.tif"), v1::NOT_FOUND) << "allowed, but not configured";
  EXPECT_EQ(ReasonFor("ada", "none/a.tif"), v1::NOT_FOUND);
  EXPECT_EQ(ReasonFor("bob", "in/a.tif"), v1::NOT_FOUND);
  EXPECT_OK(roots_.Check("admin", "out/a.tif", "f", true));
  EXPECT_EQ(ReasonFor("admin", "in/a.tif", true), v1::PATH_NOT_ALLOWED) << "it is to be read only";
  EXPECT_EQ(ReasonFor("admin", "in/../a.tif"), v1::PATH_NOT_ALLOWED);
}

TEST_F(FileRootsTest, AreListedByName) {
  const auto all = roots_.UsableBy("admin");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].name(), "in");
  EXPECT_FALSE(all[0].writable());
  EXPECT_EQ(all[1].name(), "out");
  EXPECT_TRUE(all[1].writable());
  EXPECT_EQ(roots_.UsableBy("ada").size(), 1U);
  EXPECT_TRUE(roots_.UsableBy("bob").empty());
}

TEST_F(FileRootsTest, NamesThatAreNotConfiguredAreTold) {
  EXPECT_OK(roots_.CheckNames({"in", "out"}, "f"));
  EXPECT_OK(roots_.CheckNames({"*"}, "f"));
  EXPECT_OK(roots_.CheckNames({}, "f"));
  const absl::Status unknown = roots_.CheckNames({"in", "nas"}, "f");
  EXPECT_EQ(ReasonOf(unknown), v1::INVALID_FIELD);
  EXPECT_EQ(InfoOf(unknown).field(), "f");
  EXPECT_THAT(std::string(unknown.message()), ::testing::HasSubstr("\"nas\"; those that it has: in, out"));
  EXPECT_THAT(InfoOf(unknown).remedy(), ::testing::HasSubstr("files.read_only"));
}

TEST_F(FileRootsTest, TellWorkersWhichFolderItIs) {
  struct stat state {};
  ASSERT_EQ(stat(folder_.path().c_str(), &state), 0);
  ASSERT_OK_AND_ASSIGN(const v1::FileAccess access, roots_.Access("ada", "in/x/a.tif", "f", false));
  EXPECT_EQ(access.root_path(), folder_.path().string());
  EXPECT_EQ(access.root_device(), state.st_dev);
  EXPECT_EQ(access.root_inode(), state.st_ino);
  EXPECT_EQ(access.path(), "x/a.tif");
  EXPECT_EQ(access.file(), "in/x/a.tif");
}

TEST_F(FileRootsTest, AFolderThatIsNotMountedIsSaidToBe) {
  const FileRoots roots({{.name = "in", .path = folder_.path() / "none"}}, RightsOf);
  EXPECT_OK(roots.Check("ada", "in/a.tif", "f", false));
  const absl::Status gone = roots.Access("ada", "in/a.tif", "f", false).status();
  EXPECT_EQ(ReasonOf(gone), v1::STORAGE_FAILURE);
  EXPECT_THAT(std::string(gone.message()), ::testing::Not(::testing::HasSubstr(folder_.path().string())));
}

TEST_F(FileRootsTest, AFolderThatComesLaterIsSeen) {
  const std::filesystem::path late = folder_.path() / "late";
  const FileRoots roots({{.name = "in", .path = late}}, RightsOf);
  EXPECT_FALSE(roots.Access("ada", "in/a.tif", "f", false).ok());
  std::filesystem::create_directory(late);
  absl::Status status = absl::UnavailableError("not asked yet");
  for (int i = 0; i < 600 && !status.ok(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    status = roots.Access("ada", "in/a.tif", "f", false).status();
  }
  EXPECT_OK(status);
}

TEST(FileRoots, WithoutAnyTheRemedySaysHowToSetThemUp) {
  const FileRoots none;
  const absl::Status refused = none.Check("ada", "in/a.tif", "f", false);
  EXPECT_EQ(ReasonOf(refused), v1::NO_FILE_ROOTS);
  EXPECT_THAT(InfoOf(refused).remedy(), ::testing::HasSubstr("files.read_only"));
  EXPECT_TRUE(none.UsableBy("ada").empty());
  EXPECT_THAT(std::string(none.CheckNames({"in"}, "f").message()), ::testing::HasSubstr("has: none"));
  EXPECT_OK(none.CheckNames({}, "f"));
}

}  // namespace
}  // namespace deconvoy::server
