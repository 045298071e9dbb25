#include "client/cli/psf_names.h"

#include <gtest/gtest.h>

#include "client/cli/outcome.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

TEST(PsfArgument, TakesEveryWayOfSayingIt) {
  for (const char* text : {"gfp-60x", "psfs/gfp-60x"}) {
    ASSERT_OK_AND_ASSIGN(const std::string name, PsfArgument(text));
    EXPECT_EQ(name, "psfs/gfp-60x") << text;
  }
  for (const char* text : {"gfp-60x@12", "psfs/gfp-60x@12", "psfs/gfp-60x/versions/12"}) {
    ASSERT_OK_AND_ASSIGN(const std::string name, PsfArgument(text));
    EXPECT_EQ(name, "psfs/gfp-60x/versions/12") << text;
  }
}

TEST(PsfArgument, RefusesAnythingElse) {
  for (const char* text : {"", "GFP", "gfp@", "gfp@0", "gfp@x", "gfp@1@2", "60x", "a/b", "gfp.tif", "volumes/a"})
    EXPECT_EQ(ExitCodeOf(PsfArgument(text).status()), ExitCode::kUsage) << text;
}

TEST(IsLibraryPsf, FilesAreFiles) {
  for (const char* text : {"psfs/gfp", "psfs/gfp@2", "psfs/gfp/versions/2"}) EXPECT_TRUE(IsLibraryPsf(text)) << text;
  for (const char* text : {"gfp", "psf.tif", "psfs/gfp.tif", "./psfs/gfp", "/psfs/gfp", "psfs/", "psfs/GFP"})
    EXPECT_FALSE(IsLibraryPsf(text)) << text;
}

TEST(ShortPsfName, IsTheFormThatIsTyped) {
  EXPECT_EQ(ShortPsfName("psfs/gfp/versions/3"), "psfs/gfp@3");
  EXPECT_EQ(ShortPsfName("psfs/gfp"), "psfs/gfp");
}

}  // namespace
}  // namespace deconvoy::client
