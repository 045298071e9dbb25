// Archives of TorchScript, told from others by their directories.
#include "worker/learned/script_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "tests/support/test_support.h"

namespace deconvoy::worker::learned {
namespace {

using ::testing::HasSubstr;

std::string Little(uint64_t number, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(number >> (8 * i));
  return text;
}

struct Place {
  uint64_t entries, bytes, offset;
};

// The end of 64 bits, at `at` of the file, and what tells where it is.
std::string LargeEnd(const Place& directory, uint64_t at) {
  return "PK\6\6" + Little(44, 8) + std::string(12, '\0') + Little(directory.entries, 8) +
         Little(directory.entries, 8) + Little(directory.bytes, 8) + Little(directory.offset, 8) + "PK\6\7" +
         Little(0, 4) + Little(at, 8) + Little(1, 4);
}

// A zip archive as far as its directory goes, with entries that tell `unpacked` bytes. `spoil` makes the directory's
// place into that of the end of 64 bits, which is there only then.
std::string Archive(const std::vector<std::string>& names, uint64_t unpacked = 100,
                    const std::function<void(Place&)>& spoil = nullptr) {
  const std::string file = "PK\3\4 contents";
  std::string directory;
  for (const std::string& name : names) {
    directory +=
        "PK\1\2" + std::string(20, '\0') + Little(unpacked, 4) + Little(name.size(), 2) + std::string(16, '\0') + name;
  }
  const std::string count = Little(names.size(), 2);
  std::string large_end;
  if (spoil) {
    Place place{names.size(), directory.size(), file.size()};
    spoil(place);
    large_end = LargeEnd(place, file.size() + directory.size());
  }
  return file + directory + large_end + "PK\5\6" + std::string(4, '\0') + count + count + Little(directory.size(), 4) +
         Little(file.size(), 4) + Little(0, 2);
}

absl::Status Check(const std::string& file) {
  return CheckArchive(std::as_bytes(std::span(file)));
}

void ExpectRefused(const std::string& file, const std::string& said, v1::ErrorReason reason = v1::BAD_MODEL) {
  const absl::Status status = Check(file);
  EXPECT_EQ(ReasonOf(status), reason) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(said));
}

const std::vector<std::string> kNames = {"net/data.pkl", "net/code/__torch__.py", "net/constants.pkl", "net/version"};

TEST(ScriptArchive, OfTorchScriptIsTaken) {
  EXPECT_OK(Check(Archive(kNames)));
}

TEST(ScriptArchive, OfOtherKindsIsRefused) {
  ExpectRefused(Archive({"net/data.pkl", "net/data/0", "net/version"}), "pickle of torch.save");
  ExpectRefused("\x80\x02\x8a\x0a", "pickle of torch.save");
  ExpectRefused(Archive({"net/code/a.py"}), "no TorchScript");
  ExpectRefused(Archive({"code/a.py", "data.pkl"}), "no TorchScript");
  ExpectRefused(Archive({}), "no TorchScript");
  ExpectRefused("", "no zip archive");
  ExpectRefused("PK\3\4", "no zip archive");
}

TEST(ScriptArchive, ThatIsBrokenIsRefused) {
  const std::string sound = Archive(kNames);
  ExpectRefused(sound.substr(0, sound.size() - 1), "no zip archive");
  std::string broken = sound;
  broken[broken.find("PK\1\2")] = 'Q';
  ExpectRefused(broken, "entry 0");
  broken = sound;
  broken[broken.find("PK\1\2") + 29] = '\x7f';  // of the length of a name
  ExpectRefused(broken, "entry 0 of the archive's directory is cut off");
  broken = sound;
  broken.replace(broken.size() - 6, 4, std::string(4, '\xff'));  // where the directory begins
  ExpectRefused(broken, "entry 0");
}

TEST(ScriptArchive, WithADirectoryBesideTheOneLookedAtIsRefused) {
  const std::string sound = Archive(kNames, 100, [](Place&) {});
  EXPECT_OK(Check(sound));
  ExpectRefused(Archive(kNames, 100, [](Place& place) { place.entries = 1; }), "two directories");
  ExpectRefused(Archive(kNames, 100, [](Place& place) { place.offset += 10; }), "two directories");
  ExpectRefused(Archive(kNames, 100, [](Place& place) { place.bytes -= 1; }), "two directories");
  std::string broken = sound;
  broken[broken.find("PK\6\6")] = 'Q';
  ExpectRefused(broken, "two directories");
  broken = sound;
  broken[broken.find("PK\6\7") + 8 + 7] = '\x7f';  // where it says that the end of 64 bits is
  ExpectRefused(broken, "two directories");
}

TEST(ScriptArchive, ThatIsTooLargeIsRefused) {
  ExpectRefused(Archive(kNames, kMostUnpackedBytes / kNames.size() + 1), "unpacks to", v1::LIMIT_EXCEEDED);
  ExpectRefused(Archive(std::vector<std::string>(kMostArchiveEntries + 1, "a")), "entries", v1::LIMIT_EXCEEDED);
  ExpectRefused("PK\3\4" + std::string(static_cast<size_t>(limits::kModelBytes), ' '), "more than", v1::LIMIT_EXCEEDED);
}

}  // namespace
}  // namespace deconvoy::worker::learned
