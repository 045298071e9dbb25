#include "worker/backends/cpu/fft_plans.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <numbers>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/test_support.h"
#include "worker/backends/cpu/buffer.h"

namespace deconvoy::worker::cpu {
namespace {

std::string TextOf(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

TEST(FftPlansTest, RowsAreTheDiscreteFourierTransform) {
  for (const int64_t n : {1, 2, 3, 8, 13, 30}) {
    ASSERT_OK_AND_ASSIGN(Buffer row, Buffer::OfFloats(n));
    ASSERT_OK_AND_ASSIGN(Buffer memory, Buffer::OfFloats(n + 2));
    auto* spectrum = reinterpret_cast<Complex*>(memory.data());
    std::vector<double> values;
    for (int64_t i = 0; i < n; ++i) {
      values.push_back(static_cast<double>((i * 7) % 5) - 1);
      row.data()[i] = static_cast<float>(values.back());
    }
    RowTransformFor(n, {}).Forward(row.data(), spectrum);
    for (int64_t k = 0; k <= n / 2; ++k) {
      std::complex<double> sum = 0;
      for (int64_t i = 0; i < n; ++i) {
        const double angle = -2 * std::numbers::pi * static_cast<double>(i * k) / static_cast<double>(n);
        sum += values[static_cast<size_t>(i)] * std::polar(1.0, angle);
      }
      EXPECT_NEAR(spectrum[k].real(), sum.real(), 1e-5) << n << " " << k;
      EXPECT_NEAR(spectrum[k].imag(), sum.imag(), 1e-5) << n << " " << k;
    }
    RowTransformFor(n, {}).Inverse(spectrum, row.data());
    for (int64_t i = 0; i < n; ++i) {
      EXPECT_NEAR(row.data()[i], static_cast<double>(n) * values[static_cast<size_t>(i)], 1e-4);
    }
  }
}

TEST(FftPlansTest, ColumnsAreIndependent) {
  constexpr int64_t kExtent = 12, kWidth = 8;
  ASSERT_OK_AND_ASSIGN(Buffer memory, Buffer::OfFloats(2 * kExtent * kWidth));
  auto* columns = reinterpret_cast<Complex*>(memory.data());
  columns[3 * kWidth + 5] = 1;  // an impulse in column 5
  const ColumnTransform& transform = ColumnTransformFor(kExtent, kWidth, {});
  transform.Forward(columns);
  for (int64_t k = 0; k < kExtent; ++k) {
    const auto expected = std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(3 * k) / kExtent);
    EXPECT_NEAR(columns[k * kWidth + 5].real(), expected.real(), 1e-6);
    EXPECT_NEAR(columns[k * kWidth + 5].imag(), expected.imag(), 1e-6);
    EXPECT_EQ(columns[k * kWidth + 4], Complex{});
  }
  transform.Inverse(columns);
  EXPECT_NEAR(columns[3 * kWidth + 5].real(), kExtent, 1e-5);
}

TEST(FftPlansTest, PlansAreMadeOnce) {
  EXPECT_EQ(&RowTransformFor(18, {}), &RowTransformFor(18, {}));
  EXPECT_EQ(&ColumnTransformFor(18, 8, {}), &ColumnTransformFor(18, 8, {}));
  EXPECT_NE(&ColumnTransformFor(18, 8, {}), &ColumnTransformFor(18, 16, {}));
}

TEST(FftPlansTest, WisdomIsKept) {
  const testing::TemporaryFolder folder;
  const auto inner = folder.path() / "state" / "wisdom";
  ColumnTransformFor(54, 8, inner);
  const std::string wisdom = TextOf(WisdomFile(inner));
  EXPECT_NE(wisdom.find("fftw"), std::string::npos);
  for (const auto& entry : std::filesystem::directory_iterator(inner)) {
    EXPECT_NE(entry.path().extension(), ".part") << entry.path();
  }
  ColumnTransformFor(66, 8, inner);
  EXPECT_GT(TextOf(WisdomFile(inner)).size(), wisdom.size());
}

TEST(FftPlansTest, DamagedWisdomIsIgnoredAndReplaced) {
  const testing::TemporaryFolder folder;
  std::ofstream(WisdomFile(folder.path())) << "(fftw-3.3.10 fftwf_wisdom #x0 (((";
  RowTransformFor(58, folder.path());
  EXPECT_EQ(TextOf(WisdomFile(folder.path())).find("((("), std::string::npos);
  EXPECT_NE(TextOf(WisdomFile(folder.path())).find("fftw"), std::string::npos);
}

TEST(FftPlansTest, AFolderThatCannotBeWrittenDoesNoHarm) {
  const testing::TemporaryFolder folder;
  std::ofstream(folder.path() / "file") << "not a folder";
  EXPECT_NE(&RowTransformFor(62, folder.path() / "file"), nullptr);
}

}  // namespace
}  // namespace deconvoy::worker::cpu
