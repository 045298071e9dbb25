// What a power cut takes, as tests play it: all that was not synced, and no more.
#include "tests/support/faulty_file_system.h"

#include <gtest/gtest.h>

#include <span>
#include <string>

#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

class FaultyFileSystemTest : public ::testing::Test {
 protected:
  // A file whose bytes are synced, its name is not.
  void Make(const std::string& name, const std::string& text) {
    ASSERT_OK_AND_ASSIGN(const auto file, files_.Create(At(name)));
    ASSERT_OK(file->WriteAt(0, std::as_bytes(std::span(text))));
    ASSERT_OK(file->Sync());
  }
  void Write(const std::string& name, const std::string& text) {
    ASSERT_OK_AND_ASSIGN(const auto file, files_.Open(At(name), true));
    ASSERT_OK(file->WriteAt(0, std::as_bytes(std::span(text))));
  }
  void SyncNames() { ASSERT_OK(files_.SyncDirectory(folder_.path())); }

  // Its content; "-" where there is none.
  std::string Text(const std::string& name) {
    if (!std::filesystem::exists(At(name))) return "-";
    std::string text(std::filesystem::file_size(At(name)), '?');
    const auto file = real_files_->Open(At(name), false);
    EXPECT_OK(file);
    if (file.ok()) EXPECT_OK((*file)->ReadAt(0, std::as_writable_bytes(std::span(text))));
    return text;
  }
  std::filesystem::path At(const std::string& name) const { return folder_.path() / name; }

  const deconvoy::testing::TemporaryFolder folder_;
  const std::unique_ptr<FileSystem> real_files_ = MakePosixFileSystem();
  deconvoy::testing::FaultyFileSystem files_{*real_files_};
};

TEST_F(FaultyFileSystemTest, TakesNewFilesUntilTheirFolderIsSynced) {
  Make("synced", "a");
  SyncNames();
  Make("new", "b");
  files_.DropUnsynced();
  EXPECT_EQ(Text("synced"), "a");
  EXPECT_EQ(Text("new"), "-");
}

TEST_F(FaultyFileSystemTest, BringsRemovedFilesBackUntilTheirFolderIsSynced) {
  for (const std::string name : {"synced", "unsynced"}) {
    Make(name, "ab");
    SyncNames();
    Write(name, "c");
    ASSERT_OK(files_.Remove(At(name)));
    EXPECT_EQ(Text(name), "-");
    if (name == "synced") SyncNames();
  }
  Make("never-synced", "d");
  ASSERT_OK(files_.Remove(At("never-synced")));
  files_.DropUnsynced();
  EXPECT_EQ(Text("synced"), "-");
  EXPECT_EQ(Text("unsynced"), "ab") << "with the bytes that were synced";
  EXPECT_EQ(Text("never-synced"), "-");
}

TEST_F(FaultyFileSystemTest, UndoesLinksUntilTheirFolderIsSynced) {
  for (const std::string name : {"synced", "unsynced"}) {
    Make("one", "one");
    Make(name, "own");
    SyncNames();
    ASSERT_OK(files_.Link(At("one"), At(name)));
    EXPECT_EQ(Text(name), "one");
    if (name == "synced") SyncNames();
    ASSERT_OK(files_.Remove(At("one")));
  }
  ASSERT_OK(files_.Remove(At("unsynced")));
  files_.DropUnsynced();
  EXPECT_EQ(Text("synced"), "one");
  EXPECT_EQ(Text("unsynced"), "own") << "the name's first file, whatever came after it";
  EXPECT_EQ(Text("one"), "one");
}

TEST_F(FaultyFileSystemTest, AFileMadeAgainAfterItsRemovalIsTheOldOneOnceMore) {
  Make("file", "old");
  SyncNames();
  ASSERT_OK(files_.Remove(At("file")));
  Make("file", "newer");
  EXPECT_EQ(Text("file"), "newer");
  files_.DropUnsynced();
  EXPECT_EQ(Text("file"), "old");
  files_.DropUnsynced();
  EXPECT_EQ(Text("file"), "old") << "nothing is left to be taken";
}

TEST_F(FaultyFileSystemTest, AChangeThatFailsChangesNothing) {
  Make("file", "a");
  SyncNames();
  EXPECT_FALSE(files_.Link(At("missing"), At("file")).ok());
  Write("file", "b");
  ASSERT_OK_AND_ASSIGN(const auto file, files_.Open(At("file"), true));
  ASSERT_OK(file->Sync());
  files_.DropUnsynced();
  EXPECT_EQ(Text("file"), "b");
}

}  // namespace
}  // namespace deconvoy::server
