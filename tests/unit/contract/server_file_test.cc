#include "proto/contract/server_file.h"

#include <gmock/gmock.h>

#include <array>
#include <string>

#include "proto/contract/error.h"
#include "proto/contract/validation.h"
#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

using ::testing::HasSubstr;

v1::ErrorReason ReasonFor(const std::string& file) {
  const absl::Status status = ParseServerFile(file, "f").status();
  EXPECT_EQ(InfoOf(status).field(), "f") << status;
  EXPECT_FALSE(InfoOf(status).remedy().empty()) << status;
  return ReasonOf(status);
}

TEST(ServerFile, IsARootAndAPathBelowIt) {
  for (const auto& [file, root, path] : {std::array{"data/raw.tif", "data", "raw.tif"},
                                         std::array{"a-1._/day 1/\u00b5m..tif", "a-1._", "day 1/\u00b5m..tif"},
                                         std::array{"d/.hidden/...", "d", ".hidden/..."}}) {
    ASSERT_OK_AND_ASSIGN(const ServerFile parsed, ParseServerFile(file, "f"));
    EXPECT_EQ(parsed, (ServerFile{root, path}));
  }
}

TEST(ServerFile, NeverLeavesItsRoot) {
  for (const char* file : {"..", "../x", "data/..", "data/../x", "data/a/../../x", "data/a/..", "/etc/passwd", "/",
                           "data//etc/passwd", "//x", "../../etc/passwd"}) {
    EXPECT_EQ(ReasonFor(file), v1::PATH_NOT_ALLOWED) << file;
  }
}

TEST(ServerFile, OtherFormsAreRefused) {
  for (const std::string& file :
       {std::string(""), std::string("data"), std::string("data/"), std::string("data/a/"), std::string("data/./a"),
        std::string("data/."), std::string("data/a//b"), std::string("Data/a"), std::string("a b/c"),
        std::string("./a"), std::string("da\0ta/a", 7), std::string("data/a\0b", 8), std::string("data/a\nb"),
        std::string("data/\xff"), std::string("server:data/a"), std::string(65, 'a') + "/b"}) {
    EXPECT_EQ(ReasonFor(file), v1::INVALID_FIELD) << Printable(file);
  }
}

TEST(ServerFile, LongNamesAndPathsAreRefused) {
  EXPECT_OK(ParseServerFile("data/" + std::string(255, 'a'), "f").status());
  EXPECT_EQ(ReasonFor("data/" + std::string(256, 'a')), v1::LIMIT_EXCEEDED);
  std::string file = "data";
  while (file.size() < 5000) file += "/" + std::string(100, 'a');
  EXPECT_EQ(ReasonFor(file), v1::LIMIT_EXCEEDED);
}

v1::JobSpec Import(const std::string& file) {
  v1::JobSpec spec;
  spec.mutable_import_file()->set_file(file);
  return spec;
}

v1::JobSpec Export(const std::string& volume, const std::string& file) {
  v1::JobSpec spec;
  spec.mutable_export_file()->set_volume(volume);
  spec.mutable_export_file()->set_file(file);
  return spec;
}

TEST(ServerFile, AnImportIsCheckedAsAVolumeIs) {
  v1::JobSpec spec = Import("data/raw.tif");
  EXPECT_OK(ValidateJobSpec(spec));
  EXPECT_EQ(ReasonOf(ValidateJobSpec(Import("data/../raw.tif"))), v1::PATH_NOT_ALLOWED);
  spec.mutable_import_file()->mutable_voxel_size()->set_z_um(-1);
  EXPECT_EQ(ReasonOf(ValidateJobSpec(spec)), v1::INVALID_FIELD);
  spec = Import("data/raw.tif");
  spec.mutable_import_file()->set_display_name(std::string(256, 'a'));
  EXPECT_FALSE(ValidateJobSpec(spec).ok());
}

TEST(ServerFile, AnExportIsATiffOfAVolume) {
  for (const char* file : {"data/a.tif", "data/a.TIFF", "data/x/a.ome.tif", "data/a.ome.tiff"}) {
    EXPECT_OK(ValidateJobSpec(Export("volumes/abc", file)));
  }
  const absl::Status other = ValidateJobSpec(Export("volumes/abc", "data/a.png"));
  EXPECT_EQ(ReasonOf(other), v1::INVALID_FIELD);
  EXPECT_THAT(InfoOf(other).remedy(), HasSubstr(".ome.tif"));
  EXPECT_EQ(ReasonOf(ValidateJobSpec(Export("abc", "data/a.tif"))), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(ValidateJobSpec(Export("volumes/abc", "/a.tif"))), v1::PATH_NOT_ALLOWED);
  v1::JobSpec packed = Export("volumes/abc", "data/a.tif");
  packed.mutable_export_file()->set_compression(static_cast<v1::FileCompression>(77));
  EXPECT_EQ(ReasonOf(ValidateJobSpec(packed)), v1::INVALID_FIELD);
}

}  // namespace
}  // namespace deconvoy
