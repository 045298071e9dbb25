// What all tests share.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace deconvoy::testing {

// Seed of this run: `$DECONVOY_TEST_SEED`, else a fixed number. Logged at start.
uint64_t Seed();

std::filesystem::path SourceDir();   // of the project
std::filesystem::path ProgramDir();  // where the built programs lie
std::filesystem::path SharedData();  // ../shared/data, which may not exist
std::filesystem::path SharedReference();

// A folder of its own for one test, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline const absl::Status& StatusOf(const absl::Status& status) {
  return status;
}
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

}  // namespace deconvoy::testing

#define EXPECT_OK(expression)                                              \
  do {                                                                     \
    const auto& result_of_expression = (expression);                       \
    EXPECT_TRUE(::deconvoy::testing::StatusOf(result_of_expression).ok())  \
        << ::deconvoy::testing::StatusOf(result_of_expression).ToString(); \
  } while (false)
#define ASSERT_OK(expression)                                              \
  do {                                                                     \
    const auto& result_of_expression = (expression);                       \
    ASSERT_TRUE(::deconvoy::testing::StatusOf(result_of_expression).ok())  \
        << ::deconvoy::testing::StatusOf(result_of_expression).ToString(); \
  } while (false)

// Moves the value of a StatusOr into `declaration`, or fails the test.
#define ASSERT_OK_AND_ASSIGN(declaration, expression) \
  DECONVOY_TEST_ASSIGN(DECONVOY_TEST_CONCAT(result_, __LINE__), declaration, expression)
#define DECONVOY_TEST_CONCAT_INNER(a, b) a##b
#define DECONVOY_TEST_CONCAT(a, b) DECONVOY_TEST_CONCAT_INNER(a, b)
#define DECONVOY_TEST_ASSIGN(temporary, declaration, expression) \
  auto temporary = (expression);                                 \
  ASSERT_TRUE(temporary.ok()) << temporary.status().ToString();  \
  declaration = *std::move(temporary)

// Skips the test, saying why, when a file of the shared data is not there.
#define SKIP_WITHOUT(path_of_file)                       \
  if (!std::filesystem::exists(path_of_file))            \
  GTEST_SKIP() << "SKIPPED: " << (path_of_file).string() \
               << " is not there (third-party data is not part of the project)"
