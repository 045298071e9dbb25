#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "server/spool/file_system.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string ReadText(const File& file, int64_t offset, size_t size) {
  std::string text(size, '?');
  EXPECT_OK(file.ReadAt(offset, std::as_writable_bytes(std::span(text))));
  return text;
}

class PosixFileSystemTest : public ::testing::Test {
 protected:
  // Takes the file out of the page cache.
  void Evict() const {
    const int descriptor = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED), 0);
    close(descriptor);
  }
  int CachedPages() const {
    const auto bytes = static_cast<size_t>(std::filesystem::file_size(path_));
    const int descriptor = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    void* const mapped = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    close(descriptor);
    EXPECT_NE(mapped, MAP_FAILED);
    std::vector<unsigned char> there((bytes + kDirectBytes - 1) / kDirectBytes);
    EXPECT_EQ(mincore(mapped, bytes, there.data()), 0);
    munmap(mapped, bytes);
    return static_cast<int>(std::ranges::count_if(there, [](unsigned char page) { return (page & 1) != 0; }));
  }

  const deconvoy::testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "file";
  const std::unique_ptr<FileSystem> files_ = MakePosixFileSystem();
};

TEST_F(PosixFileSystemTest, WritesAndReadsAtOffsets) {
  ASSERT_OK_AND_ASSIGN(auto file, files_->Create(path_));
  ASSERT_OK(file->WriteAt(5, Bytes("world")));
  ASSERT_OK(file->WriteAt(0, Bytes("hello")));
  ASSERT_OK(file->Sync());
  ASSERT_OK_AND_ASSIGN(auto again, files_->Open(path_, false));
  EXPECT_EQ(ReadText(*again, 0, 10), "helloworld");
  EXPECT_EQ(ReadText(*again, 3, 4), "lowo");
  EXPECT_EQ(ReadText(*again, 0, 0), "");
}

TEST_F(PosixFileSystemTest, WhatGoesPastThePageCacheIsReadBesideWhatDoesNot) {
  ASSERT_OK_AND_ASSIGN(auto file, files_->Create(path_));
  constexpr size_t kPages = 3, kPage = kDirectBytes;
  ASSERT_OK(file->Reserve((kPages + 2) * kPage));
  EXPECT_EQ(ReadText(*file, 0, 8), std::string(8, '\0')) << "now in the page cache";
  alignas(kDirectBytes) static std::byte pages[kPages * kPage];
  std::ranges::fill(pages, std::byte{'d'});
  ASSERT_OK(file->WriteAt(kPage - 3, Bytes("abc")));
  ASSERT_OK(file->WriteAt(kPage, pages));
  ASSERT_OK(file->WriteAt((kPages + 1) * kPage, Bytes("xyz")));
  std::ranges::fill(std::span(pages).first(kPage), std::byte{'e'});
  ASSERT_OK(file->WriteAt(2 * kPage, std::span(pages).first(kPage)));
  ASSERT_OK(file->Sync());
  const std::string text = ReadText(*file, 0, (kPages + 1) * kPage + 3);
  EXPECT_TRUE(text == std::string(kPage - 3, '\0') + "abc" + std::string(kPage, 'd') + std::string(kPage, 'e') +
                          std::string(kPage, 'd') + "xyz");
}

TEST_F(PosixFileSystemTest, WhatIsReadPastTheCacheIsTheSame) {
  ASSERT_OK_AND_ASSIGN(auto file, files_->Create(path_));
  std::string text(5 * kDirectBytes + 3, '?');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7 % 251);
  ASSERT_OK(file->WriteAt(0, Bytes(text)));
  ASSERT_OK(file->Sync());
  alignas(kDirectBytes) static std::byte aligned[2 * kDirectBytes];
  const auto read = [&](size_t offset, size_t size) {
    std::string part(size, '!');
    EXPECT_OK(file->ReadPast(static_cast<int64_t>(offset), std::as_writable_bytes(std::span(part)), aligned));
    return part == text.substr(offset, size);
  };
  for (const bool cached : {true, false}) {
    for (const auto& [offset, size] : std::vector<std::pair<size_t, size_t>>{
             {0, text.size()}, {1, text.size() - 1}, {4095, 2}, {4096, 8192}, {5, 3 * 4096}, {5 * 4096, 3}, {7, 0}}) {
      if (!cached) Evict();
      EXPECT_TRUE(read(offset, size)) << offset << ", " << size;
    }
  }
  Evict();
  ASSERT_TRUE(read(4096, 4096));
  EXPECT_TRUE(read(0, 3 * 4096)) << "some of it is in the cache, and some is not";
  std::string beyond(10, '!');
  const absl::Status ended = file->ReadPast(5 * kDirectBytes, std::as_writable_bytes(std::span(beyond)), aligned);
  EXPECT_EQ(ReasonOf(ended), v1::STORAGE_FAILURE);
  EXPECT_THAT(std::string(ended.message()), HasSubstr(std::to_string(text.size())));
}

TEST_F(PosixFileSystemTest, WhatIsReadPastTheCacheDoesNotFillIt) {
  ASSERT_OK_AND_ASSIGN(auto file, files_->Create(path_));
  constexpr size_t kPages = 16;
  ASSERT_OK(file->WriteAt(0, Bytes(std::string(kPages * kDirectBytes, 'x'))));
  ASSERT_OK(file->Sync());
  Evict();
  if (CachedPages() > 0) GTEST_SKIP() << "this file system keeps its files in memory";
  alignas(kDirectBytes) static std::byte aligned[kPages * kDirectBytes];
  std::string part(kPages * kDirectBytes, '!');
  ASSERT_OK(file->ReadPast(0, std::as_writable_bytes(std::span(part)), aligned));
  EXPECT_EQ(CachedPages(), 0);
  EXPECT_FALSE(file->IsCached(5, 9000));
  ASSERT_OK(file->ReadAt(0, std::as_writable_bytes(std::span(part))));
  EXPECT_GT(CachedPages(), 0);
  EXPECT_TRUE(file->IsCached(5, 9000));
  EXPECT_TRUE(file->IsCached(5, 0));
}

TEST_F(PosixFileSystemTest, ALinkReplacesWhatWasThere) {
  ASSERT_OK_AND_ASSIGN(auto first, files_->Create(path_));
  ASSERT_OK(first->WriteAt(0, Bytes("first")));
  const std::filesystem::path other = folder_.path() / "other.raw";
  ASSERT_OK_AND_ASSIGN(auto second, files_->Create(other));
  ASSERT_OK(second->WriteAt(0, Bytes("second")));
  ASSERT_OK(files_->Link(path_, other));
  ASSERT_OK_AND_ASSIGN(auto linked, files_->Open(other, false));
  EXPECT_EQ(ReadText(*linked, 0, 5), "first");
  EXPECT_EQ(ReadText(*second, 0, 6), "second") << "who has it open keeps it";
  ASSERT_OK(files_->Remove(path_));
  EXPECT_EQ(ReadText(*linked, 0, 5), "first");
  EXPECT_EQ(ReasonOf(files_->Link(path_, other)), v1::STORAGE_FAILURE) << "there is nothing to link to";
  ASSERT_OK_AND_ASSIGN(const auto entries, files_->List(folder_.path()));
  EXPECT_THAT(entries, UnorderedElementsAre(other));
}

TEST_F(PosixFileSystemTest, ReservedSpaceIsThereAndZero) {
  ASSERT_OK_AND_ASSIGN(auto file, files_->Create(path_));
  ASSERT_OK(file->Reserve(1 << 20));
  ASSERT_OK_AND_ASSIGN(const int64_t size, file->Size());
  EXPECT_EQ(size, 1 << 20);
  EXPECT_EQ(ReadText(*file, (1 << 20) - 3, 3), std::string(3, '\0'));
  struct stat status;
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_GE(status.st_blocks * 512, 1 << 20) << "the file is sparse";
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(PosixFileSystemTest, NothingCanBeReserved) {
  ASSERT_OK_AND_ASSIGN(auto file, files_->Create(path_));
  EXPECT_OK(file->Reserve(0));
}

TEST_F(PosixFileSystemTest, ReservingMoreThanThereIsFailsAsDiskFull) {
  ASSERT_OK_AND_ASSIGN(auto file, files_->Create(path_));
  ASSERT_OK_AND_ASSIGN(const int64_t free, files_->FreeBytes(folder_.path()));
  const absl::Status status = file->Reserve(free + (int64_t{1} << 40));
  EXPECT_EQ(ReasonOf(status), v1::DISK_FULL) << status;
  EXPECT_EQ(InfoOf(status).metadata().at("path"), path_.string());
}

TEST_F(PosixFileSystemTest, FullDeviceIsDiskFullWithPathAndNeed) {
  ASSERT_OK_AND_ASSIGN(auto file, files_->Open("/dev/full", true));
  const absl::Status status = file->WriteAt(0, Bytes("12345"));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), v1::DISK_FULL);
  EXPECT_EQ(InfoOf(status).metadata().at("path"), "/dev/full");
  EXPECT_EQ(InfoOf(status).metadata().at("need_bytes"), "5");
  EXPECT_NE(InfoOf(status).remedy(), "");
}

TEST_F(PosixFileSystemTest, ReadingPastTheEndSaysWhere) {
  ASSERT_OK_AND_ASSIGN(auto file, files_->Create(path_));
  ASSERT_OK(file->WriteAt(0, Bytes("abc")));
  std::byte buffer[8];
  const absl::Status status = file->ReadAt(0, buffer);
  EXPECT_EQ(ReasonOf(status), v1::STORAGE_FAILURE);
  EXPECT_THAT(std::string(status.message()), HasSubstr("byte 3"));
}

TEST_F(PosixFileSystemTest, CreateRefusesAFileThatExists) {
  ASSERT_OK(files_->Create(path_));
  EXPECT_EQ(ReasonOf(files_->Create(path_).status()), v1::STORAGE_FAILURE);
}

TEST_F(PosixFileSystemTest, OpenNamesTheMissingFile) {
  const auto opened = files_->Open(path_, true);
  EXPECT_EQ(ReasonOf(opened.status()), v1::STORAGE_FAILURE);
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr(path_.string()));
}

TEST_F(PosixFileSystemTest, ReadOnlyFileRefusesWrites) {
  ASSERT_OK(files_->Create(path_));
  ASSERT_OK_AND_ASSIGN(auto file, files_->Open(path_, false));
  EXPECT_FALSE(file->WriteAt(0, Bytes("x")).ok());
}

TEST_F(PosixFileSystemTest, FoldersAreMadeListedAndSynced) {
  ASSERT_OK(files_->MakeDirectories(folder_.path() / "a" / "b"));
  ASSERT_OK(files_->MakeDirectories(folder_.path() / "a" / "b"));
  ASSERT_OK(files_->Create(folder_.path() / "a" / "c"));
  ASSERT_OK(files_->SyncDirectory(folder_.path() / "a"));
  ASSERT_OK_AND_ASSIGN(const auto entries, files_->List(folder_.path() / "a"));
  EXPECT_THAT(entries, UnorderedElementsAre(folder_.path() / "a" / "b", folder_.path() / "a" / "c"));
  EXPECT_FALSE(files_->List(folder_.path() / "none").ok());
  EXPECT_FALSE(files_->SyncDirectory(folder_.path() / "none").ok());
}

TEST_F(PosixFileSystemTest, RemovingWhatIsNotThereIsFine) {
  ASSERT_OK(files_->Create(path_));
  EXPECT_OK(files_->Remove(path_));
  EXPECT_OK(files_->Remove(path_));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(PosixFileSystemTest, FreeBytesArePositive) {
  ASSERT_OK_AND_ASSIGN(const int64_t free, files_->FreeBytes(folder_.path()));
  EXPECT_GT(free, 0);
  EXPECT_FALSE(files_->FreeBytes(folder_.path() / "none").ok());
}

}  // namespace
}  // namespace deconvoy::server
