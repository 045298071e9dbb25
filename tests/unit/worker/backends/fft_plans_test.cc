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

// The first `numbers` of the discrete Fourier transform of `values`.
std::vector<std::complex<double>> Transformed(const std::vector<std::complex<double>>& values, size_t numbers) {
  std::vector<std::complex<double>> sums(numbers);
  for (size_t k = 0; k < numbers; ++k) {
    for (size_t i = 0; i < values.size(); ++i) {
      const double angle = -2 * std::numbers::pi * static_cast<double>(i * k) / static_cast<double>(values.size());
      sums[k] += values[i] * std::polar(1.0, angle);
    }
  }
  return sums;
}

void ExpectNear(const Complex& value, const std::complex<double>& expected, double bound, int64_t n, size_t k) {
  EXPECT_NEAR(value.real(), expected.real(), bound) << n << " " << k;
  EXPECT_NEAR(value.imag(), expected.imag(), bound) << n << " " << k;
}

TEST(FftPlansTest, RowsAreTheDiscreteFourierTransform) {
  for (const int64_t n : {1, 2, 3, 4, 6, 8, 13, 14, 16, 18, 30, 34, 36, 62, 64}) {
    ASSERT_OK_AND_ASSIGN(Buffer row, Buffer::OfFloats(n));
    ASSERT_OK_AND_ASSIGN(Buffer scratch, Buffer::OfFloats(n + 2));
    std::vector<Complex> spectrum(static_cast<size_t>(n / 2 + 1));
    std::vector<std::complex<double>> values;
    for (int64_t i = 0; i < n; ++i) {
      values.emplace_back(static_cast<double>((i * 7) % 5) - 1);
      row.data()[i] = static_cast<float>(values.back().real());
    }
    auto* room = reinterpret_cast<Complex*>(scratch.data());
    RowTransformFor(n, {}).Forward(row.data(), room, spectrum.data());
    const auto expected = Transformed(values, spectrum.size());
    for (size_t k = 0; k < spectrum.size(); ++k) ExpectNear(spectrum[k], expected[k], 2e-5, n, k);
    RowTransformFor(n, {}).Inverse(spectrum.data(), room, row.data());
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(row.data()[i], static_cast<double>(n) * values[i].real(), 2e-4) << n << " " << i;
    }
  }
}

TEST(FftPlansTest, LinesAreTheDiscreteFourierTransform) {
  for (const int64_t n : {1, 2, 5, 12, 32}) {
    ASSERT_OK_AND_ASSIGN(Buffer from, Buffer::OfFloats(2 * n));
    ASSERT_OK_AND_ASSIGN(Buffer to, Buffer::OfFloats(2 * n));
    auto* line = reinterpret_cast<Complex*>(from.data());
    auto* transformed = reinterpret_cast<Complex*>(to.data());
    std::vector<std::complex<double>> values;
    for (int64_t i = 0; i < n; ++i) {
      values.emplace_back(static_cast<double>((i * 7) % 5) - 1, static_cast<double>((i * 3) % 4));
      line[i] = Complex(values.back());
    }
    LineTransformFor(n, {}).Forward(line, transformed);
    const auto expected = Transformed(values, values.size());
    for (size_t k = 0; k < values.size(); ++k) ExpectNear(transformed[k], expected[k], 2e-5, n, k);
    LineTransformFor(n, {}).Inverse(transformed, line);
    for (size_t i = 0; i < values.size(); ++i) {
      ExpectNear(line[i], static_cast<double>(n) * values[i], 2e-4, n, i);
    }
  }
}

TEST(FftPlansTest, PlansAreMadeOnce) {
  EXPECT_EQ(&RowTransformFor(18, {}), &RowTransformFor(18, {}));
  EXPECT_EQ(&LineTransformFor(18, {}), &LineTransformFor(18, {}));
  EXPECT_NE(&LineTransformFor(18, {}), &LineTransformFor(36, {}));
}

TEST(FftPlansTest, WisdomIsKept) {
  const testing::TemporaryFolder folder;
  const auto inner = folder.path() / "state" / "wisdom";
  LineTransformFor(54, inner);
  const std::string wisdom = TextOf(WisdomFile(inner));
  EXPECT_NE(wisdom.find("fftw"), std::string::npos);
  for (const auto& entry : std::filesystem::directory_iterator(inner)) {
    EXPECT_NE(entry.path().extension(), ".part") << entry.path();
  }
  LineTransformFor(66, inner);
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
