// A source that no target lists is not built, and a test that does not run does not exist.
#include "tests/layout/build_lists.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/layout/source_tree.h"

namespace deconvoy::layout {
namespace {

// The name under which the list in `folder` would have to name `file`.
std::string NameFrom(const std::string& folder, const std::string& file) {
  return file.substr(folder.size() + 1);
}

// Whether the list of the file's folder, or of the folder above, names it in `command`.
bool IsListed(const std::string& file, const std::string& command) {
  std::string folder = FolderOf(file);
  for (int level = 0; level < 2 && !folder.empty(); ++level, folder = FolderOf(folder)) {
    const std::string list = folder + "/CMakeLists.txt";
    if (Exists(list) && NamedIn(Expand(Read(list)), command).contains(NameFrom(folder, file))) return true;
  }
  return false;
}

TEST(BuildLists, EverySourceIsBuilt) {
  for (const std::string& file : CodeFiles()) {
    if (!file.ends_with(".cc") && !file.ends_with(".cu")) continue;
    EXPECT_TRUE(IsListed(file, "")) << file << " is in no target. Name it in " << FolderOf(file)
                                    << "/CMakeLists.txt or the folder above, or remove it.";
  }
}

TEST(BuildLists, EveryTestRuns) {
  for (const std::string& file : Files("tests", {"_test.cc"})) {
    EXPECT_TRUE(IsListed(file, "deconvoy_test"))
        << file << " is in no deconvoy_test(). Add one for it to " << FolderOf(file) << "/CMakeLists.txt.";
  }
}

TEST(BuildLists, EveryFuzzTargetRuns) {
  for (const std::string& file : Files("tests/fuzz", {"_fuzz.cc"})) {
    EXPECT_TRUE(IsListed(file, "deconvoy_fuzz"))
        << file
        << " is in no deconvoy_fuzz(). Add one for it to tests/fuzz/CMakeLists.txt, and seeds to tests/fuzz/corpus.";
  }
}

// Whether every folder from the one of `list` up to the root is added by the one above.
TEST(BuildLists, EveryListIsReached) {
  for (const std::string& list : Files("", {"CMakeLists.txt"})) {
    const std::string folder = FolderOf(list);
    if (folder.empty()) continue;
    std::string above = FolderOf(folder);
    while (!above.empty() && !Exists(above + "/CMakeLists.txt")) above = FolderOf(above);
    const std::string parent = above.empty() ? "CMakeLists.txt" : above + "/CMakeLists.txt";
    const std::string name = above.empty() ? folder : NameFrom(above, folder);
    EXPECT_TRUE(NamedIn(Expand(Read(parent)), "add_subdirectory").contains(name))
        << list << " is never read. Add add_subdirectory(" << name << ") to " << parent << ".";
  }
}

TEST(Expand, WritesOutVariablesAndLoops) {
  const std::string text =
      Expand("# not.cc\nset(NAMES a b)\nforeach(name ${NAMES} c)\n  deconvoy_test(t SOURCES ${name}.cc)\nendforeach()");
  const std::set<std::string> tests = NamedIn(text, "deconvoy_test");
  EXPECT_TRUE(tests.contains("a.cc") && tests.contains("b.cc") && tests.contains("c.cc")) << text;
  EXPECT_FALSE(NamedIn(text, "").contains("not.cc"));
  EXPECT_FALSE(NamedIn(text, "deconvoy_library").contains("a.cc"));
}

}  // namespace
}  // namespace deconvoy::layout
