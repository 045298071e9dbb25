#include "server/config/named_folder.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

TEST(NamedFolder, IsANameAndAnAbsolutePath) {
  ASSERT_OK_AND_ASSIGN(const NamedFolder folder, ParseNamedFolder("files.read_only", "data=/srv/a=b"));
  EXPECT_EQ(folder.name, "data");
  EXPECT_EQ(folder.path, "/srv/a=b");
  for (const char* text :
       {"", "data", "/srv", "=/srv", "data=", "data=srv", "Data=/srv", "..=/srv", "a/b=/srv", "data=/srv\n"}) {
    const absl::Status refused = ParseNamedFolder("files.read_only", text).status();
    EXPECT_EQ(ReasonOf(refused), v1::INVALID_FIELD) << text;
    EXPECT_EQ(InfoOf(refused).field(), "files.read_only") << text;
  }
}

TEST(NamedFolder, BothListsGiveFolders) {
  ServerConfig config;
  config.files_read_only = {"data=/srv/data"};
  config.files_read_write = {"out=/srv/out"};
  ASSERT_OK_AND_ASSIGN(const auto folders, FoldersForFiles(config));
  ASSERT_EQ(folders.size(), 2U);
  EXPECT_FALSE(folders[0].writable);
  EXPECT_TRUE(folders[1].writable);
  config.files_read_write = {"data=/srv/out"};
  const absl::Status twice = FoldersForFiles(config).status();
  EXPECT_EQ(InfoOf(twice).field(), "files.read_write");
  EXPECT_THAT(std::string(twice.message()), HasSubstr("two folders"));
}

TEST(NamedFolder, KeepsOffTheStateFolderAlsoThroughLinks) {
  const testing::TemporaryFolder place;
  std::filesystem::create_directories(place.path() / "state/spool");
  std::filesystem::create_symlink(place.path() / "state", place.path() / "link");
  ServerConfig config;
  config.state_folder = (place.path() / "state").string();
  for (const std::filesystem::path& path :
       {place.path(), place.path() / "state", place.path() / "state/spool", place.path() / "link/spool",
        place.path() / "other/../state", std::filesystem::path("/")}) {
    config.files_read_only = {"data=" + path.string()};
    EXPECT_THAT(std::string(FoldersForFiles(config).status().message()), HasSubstr("lie in one another")) << path;
  }
  for (const char* name : {"state2", "data"}) {
    config.files_read_only = {"data=" + (place.path() / name).string()};
    EXPECT_OK(FoldersForFiles(config).status());
  }
}

TEST(NamedFolder, IsToldWhereItCannotBeUsed) {
  const testing::TemporaryFolder place;
  std::ofstream(place.path() / "file") << "x";
  NamedFolder folder{.name = "data", .path = place.path(), .writable = true};
  EXPECT_EQ(WhyUnusable(folder), "");
  folder.path = place.path() / "none";
  EXPECT_THAT(WhyUnusable(folder), HasSubstr("No such file"));
  folder.path = place.path() / "file";
  EXPECT_EQ(WhyUnusable(folder), "it is not a folder");
  if (geteuid() == 0) return;  // who may read and write all
  folder.path = place.path() / "shut";
  std::filesystem::create_directory(folder.path);
  std::filesystem::permissions(folder.path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  EXPECT_EQ(WhyUnusable(folder), "it may not be written");
  folder.writable = false;
  EXPECT_EQ(WhyUnusable(folder), "");
  std::filesystem::permissions(folder.path, std::filesystem::perms::none);
  EXPECT_EQ(WhyUnusable(folder), "it may not be read");
}

TEST(NamedFolder, TheConfigurationNamesTheLineOfABadOne) {
  const absl::Status refused = ParseConfig("\n[files]\nread_only = [\"data\"]\n", "d.toml", {}).status();
  EXPECT_EQ(ReasonOf(refused), v1::INVALID_FIELD);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("d.toml:3"));
  ASSERT_OK_AND_ASSIGN(const ServerConfig read,
                       ParseConfig("[files]\nread_write = [\"a=/a\", \"b=/b\"]\n", "d.toml", {}));
  EXPECT_EQ(read.files_read_write.size(), 2U);
}

}  // namespace
}  // namespace deconvoy::server
