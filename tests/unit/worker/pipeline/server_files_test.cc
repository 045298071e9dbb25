// The ways in and out of a root, on a real file system.
#include "worker/pipeline/server_files.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::worker {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class ServerFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(root() / "sub/deeper");
    fs::create_directories(place_.path() / "outside");
    Write(root() / "a.txt", "inside");
    Write(root() / "sub/b.txt", "below");
    Write(place_.path() / "outside/secret.txt", "secret");
  }

  fs::path root() const { return place_.path() / "root"; }
  static void Write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

  v1::FileAccess Access(const std::string& path) const {
    struct stat state {};
    EXPECT_EQ(stat(root().c_str(), &state), 0);
    v1::FileAccess access;
    access.set_root_path(root().string());
    access.set_root_device(state.st_dev);
    access.set_root_inode(state.st_ino);
    access.set_path(path);
    access.set_file("data/" + path);
    return access;
  }
  // What can be read there; else the error's reason.
  std::string Read(const std::string& path) const {
    const absl::StatusOr<Descriptor> open = OpenForReading(Access(path));
    if (!open.ok()) {
      EXPECT_THAT(std::string(open.status().message()), Not(HasSubstr(place_.path().string())));
      return v1::ErrorReason_Name(ReasonOf(open.status()));
    }
    std::string text;
    std::getline(std::ifstream(open->path()), text);
    return text;
  }
  std::string Folder(const std::string& path) const {
    return v1::ErrorReason_Name(ReasonOf(OpenFolder(Access(path)).status()));
  }
  void Link(const std::string& target, const std::string& name) const { fs::create_symlink(target, root() / name); }

  testing::TemporaryFolder place_;
};

constexpr char kBarred[] = "PATH_NOT_ALLOWED", kNone[] = "NOT_FOUND", kBad[] = "BAD_FILE",
               kFine[] = "ERROR_REASON_UNSPECIFIED";

TEST_F(ServerFilesTest, FilesBelowTheRootAreRead) {
  EXPECT_EQ(Read("a.txt"), "inside");
  EXPECT_EQ(Read("sub/b.txt"), "below");
  EXPECT_EQ(Read("none.txt"), kNone);
  EXPECT_EQ(Read("none/a.txt"), kNone);
  EXPECT_EQ(Read("a.txt/b"), kNone);
}

TEST_F(ServerFilesTest, LinksThatStayInTheRootAreFollowed) {
  Link("sub/b.txt", "to_file");
  Link("sub", "to_folder");
  Link("../a.txt", "sub/up");
  EXPECT_EQ(Read("to_file"), "below");
  EXPECT_EQ(Read("to_folder/b.txt"), "below");
  EXPECT_EQ(Read("sub/up"), "inside");
  EXPECT_EQ(Folder("to_folder/new.tif"), kFine);
}

TEST_F(ServerFilesTest, LinksThatLeaveTheRootAreBarredWhereverTheyLead) {
  Link("../outside/secret.txt", "relative");
  Link((place_.path() / "outside/secret.txt").string(), "absolute");
  Link("/nowhere/at/all", "dangling");
  Link("../outside", "folder");
  Link("/proc/self/root", "magic");
  Link("/proc/self/fd/0", "descriptor");
  Link("relative", "chain");
  Link("../../root/a.txt", "sub/out_and_in");
  Link((root() / "a.txt").string(), "absolute_inside");
  for (const char* path : {"relative", "absolute", "dangling", "folder/secret.txt", "magic/etc/passwd", "descriptor",
                           "chain", "sub/out_and_in", "absolute_inside"}) {
    EXPECT_EQ(Read(path), kBarred) << path;
  }
  for (const char* path : {"folder/new.tif", "magic/tmp/new.tif"}) EXPECT_EQ(Folder(path), kBarred) << path;
  Link("loop2", "loop1");
  Link("loop1", "loop2");
  EXPECT_EQ(Read("loop1"), kBarred);
}

TEST_F(ServerFilesTest, PathsThatLeaveTheRootAreBarred) {
  for (const char* path : {"..", "../outside/secret.txt", "sub/../../outside/secret.txt", "/etc/passwd", "sub/.."}) {
    EXPECT_EQ(Read(path), kBarred) << path;
    EXPECT_EQ(Folder(std::string(path) + "/x.tif"), kBarred) << path;
  }
}

TEST_F(ServerFilesTest, OnlyRegularFilesAreRead) {
  ASSERT_EQ(mkfifo((root() / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(Read("pipe"), kBad) << "and it does not wait for a writer";
  EXPECT_EQ(Read("sub"), kBad);
  EXPECT_EQ(Folder("a.txt/x.tif"), kNone);
  EXPECT_EQ(Folder("none/x.tif"), kNone);
  EXPECT_EQ(Folder("x.tif"), kFine);
}

TEST_F(ServerFilesTest, WhatThisProcessMayNotReadIsBarred) {
  if (geteuid() == 0) GTEST_SKIP() << "SKIPPED: root may read everything";
  fs::permissions(root() / "a.txt", fs::perms::none);
  EXPECT_EQ(Read("a.txt"), kBarred);
}

TEST_F(ServerFilesTest, AnotherRootThanTheServersIsNotUsed) {
  v1::FileAccess access = Access("a.txt");
  access.set_root_inode(access.root_inode() + 1);
  EXPECT_EQ(ReasonOf(OpenForReading(access).status()), v1::STORAGE_FAILURE);
  EXPECT_EQ(ReasonOf(OpenFolder(access).status()), v1::STORAGE_FAILURE);
  access = Access("a.txt");
  access.set_root_path((place_.path() / "none").string());
  EXPECT_EQ(ReasonOf(OpenForReading(access).status()), v1::STORAGE_FAILURE);
}

TEST_F(ServerFilesTest, AnOpenFolderStaysTheOneThatWasOpened) {
  ASSERT_OK_AND_ASSIGN(const Descriptor folder, OpenFolder(Access("sub/new.txt")));
  fs::rename(root() / "sub", root() / "moved");
  Link("../outside", "sub");
  Write(fs::path(folder.path()) / "new.txt", "new");
  EXPECT_TRUE(fs::exists(root() / "moved/new.txt"));
  EXPECT_FALSE(fs::exists(place_.path() / "outside/new.txt"));
}

TEST_F(ServerFilesTest, AStampTellsChanges) {
  ASSERT_OK_AND_ASSIGN(const Descriptor open, OpenForReading(Access("a.txt")));
  ASSERT_OK_AND_ASSIGN(const v1::FileStamp before, StampOf(open, Access("a.txt")));
  EXPECT_EQ(before.size_bytes(), 6U);
  Write(root() / "a.txt", "other");
  ASSERT_OK_AND_ASSIGN(const v1::FileStamp after, StampOf(open, Access("a.txt")));
  EXPECT_NE(before.SerializeAsString(), after.SerializeAsString());
  EXPECT_EQ(before.inode(), after.inode());
}

TEST_F(ServerFilesTest, ErrorsNameTheFileAsItsOwnerKnowsIt) {
  const v1::FileAccess file = Access("sub/new.tif");
  ASSERT_OK_AND_ASSIGN(const Descriptor folder, OpenFolder(file));
  const std::string path = folder.path() + "/new.tif";
  const absl::Status status = WithFileName(
      MakeError({.reason = v1::DISK_FULL, .remedy = "look at " + path, .metadata = {{"path", path}, {"k", "v"}}},
                path + ": the folder " + folder.path() + " is full"),
      folder, file);
  EXPECT_EQ(std::string(status.message()), "data/sub/new.tif: the folder data/sub is full");
  EXPECT_EQ(ReasonOf(status), v1::DISK_FULL);
  EXPECT_EQ(InfoOf(status).remedy(), "look at data/sub/new.tif");
  EXPECT_EQ(InfoOf(status).metadata().at("k"), "v");
  EXPECT_EQ(InfoOf(status).metadata().at("file"), "data/sub/new.tif");
  EXPECT_FALSE(InfoOf(status).metadata().contains("path"));
  EXPECT_TRUE(absl::IsCancelled(WithFileName(absl::CancelledError("stopped"), folder, file)));
}

}  // namespace
}  // namespace deconvoy::worker
