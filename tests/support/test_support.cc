#include "tests/support/test_support.h"

#include <cstdlib>

namespace deconvoy::testing {

namespace fs = std::filesystem;

uint64_t Seed() {
  const char* text = std::getenv("DECONVOY_TEST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 20240611;
}

fs::path SourceDir() {
  return DECONVOY_SOURCE_DIR;
}
fs::path ProgramDir() {
  return DECONVOY_BIN_DIR;
}
fs::path SharedData() {
  return SourceDir().parent_path() / "shared" / "data";
}
fs::path SharedReference() {
  return SourceDir().parent_path() / "shared" / "reference";
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "deconvoy-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    std::perror("mkdtemp");
    std::abort();
  }
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace deconvoy::testing
