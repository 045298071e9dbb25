// What the tests of the backends' contract share: a domain to work on, and the way between arrays and volumes.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/reference/random_volume.h"
#include "tests/reference/reference.h"
#include "tests/support/test_support.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker {

// Of single precision, over the largest value.
constexpr double kRounding = 2e-6;

struct BackendCase {
  std::string name;
  std::function<std::unique_ptr<Backend>(int threads)> make;
  std::string missing = {};  // why it cannot be made here; its tests are skipped then
};

inline void PrintTo(const BackendCase& backend, std::ostream* out) {
  *out << backend.name;
}

class BackendSuite : public ::testing::TestWithParam<BackendCase> {
 protected:
  using Volume = reference::Volume;
  using Psf = reference::Psf;

  // Domains that a transform may find hard: odd, prime, flat, thin, a single voxel, and larger than one strip of
  // columns.
  static std::vector<Shape3> Domains() {
    return {{5, 6, 8}, {4, 7, 9}, {7, 11, 13}, {1, 7, 10}, {1, 1, 13},  {6, 1, 1},  {1, 9, 1},
            {6, 5, 1}, {5, 1, 6}, {1, 1, 1},   {2, 2, 2},  {3, 19, 70}, {37, 3, 4}, {16, 17, 30}};
  }

  void SetUp() override {
    if (!GetParam().missing.empty()) GTEST_SKIP() << "SKIPPED: " << GetParam().missing;
    Open({8, 9, 10}, 2);
  }

  void Open(const Shape3& domain, int threads) {
    ops_.reset();
    backend_ = GetParam().make(threads);
    ASSERT_OK_AND_ASSIGN(ops_, backend_->Open(domain));
    domain_ = domain;
    whole_ = Box3{{}, domain};
  }

  std::unique_ptr<Array> Allocate(const Box3& box) {
    auto array = ops_->Allocate(box);
    EXPECT_OK(array);
    return *std::move(array);
  }
  // An array holding `field`'s voxels in `box`; `field` covers the domain.
  std::unique_ptr<Array> ToArray(const Volume& field, const Box3& box) {
    auto array = Allocate(box);
    std::vector<float> host;
    ForEach(box, [&](int64_t z, int64_t y, int64_t x) { host.push_back(static_cast<float>(field.at(z, y, x))); });
    EXPECT_OK(ops_->Upload(host, box, *array));
    return array;
  }
  std::unique_ptr<Otf> ToOtf(const Psf& psf) {
    const std::vector<float> values(psf.h.values.begin(), psf.h.values.end());
    auto otf = ops_->MakeOtf(values, {psf.h.nz, psf.h.ny, psf.h.nx}, {psf.cz, psf.cy, psf.cx});
    EXPECT_OK(otf);
    return *std::move(otf);
  }
  // The array as a field on the domain, zero outside its box.
  Volume ToField(const Array& array) {
    std::vector<float> host(static_cast<size_t>(array.box().shape.voxels()));
    EXPECT_OK(ops_->Download(array, array.box(), host));
    Volume field(domain_.z, domain_.y, domain_.x);
    size_t i = 0;
    ForEach(array.box(), [&](int64_t z, int64_t y, int64_t x) { field.at(z, y, x) = host[i++]; });
    return field;
  }
  // Random values on the domain that single precision holds exactly, zero outside `box`.
  Volume RandomField(const Box3& box, double low = 0.5, double high = 20) {
    std::uniform_real_distribution<double> uniform(low, high);
    Volume field(domain_.z, domain_.y, domain_.x);
    ForEach(box, [&](int64_t z, int64_t y, int64_t x) { field.at(z, y, x) = static_cast<float>(uniform(random_)); });
    return field;
  }
  Psf RandomPsf(const Shape3& shape) { return reference::RandomPsf(shape.z, shape.y, shape.x, random_); }
  // About half the domain along each axis, at least 1, not at its corner where there is room.
  Box3 InnerBox() const {
    const auto begin = [](int64_t n) { return n / 4; };
    const auto count = [](int64_t n) { return std::max<int64_t>(1, n / 2); };
    return {{begin(domain_.z), begin(domain_.y), begin(domain_.x)},
            {count(domain_.z), count(domain_.y), count(domain_.x)}};
  }

  // Field of H p, or H* p, in single precision, everywhere.
  Volume ConvolveStored(const Array& input, const Otf& otf, bool adjoint) {
    auto output = Allocate(whole_);
    EXPECT_OK(ops_->Convolve({&otf, adjoint, Identity{&input}, Store{output.get()}}));
    return ToField(*output);
  }

  static void ForEach(const Box3& box, const std::function<void(int64_t, int64_t, int64_t)>& visit) {
    for (int64_t z = box.origin.z; z < box.end().z; ++z) {
      for (int64_t y = box.origin.y; y < box.end().y; ++y) {
        for (int64_t x = box.origin.x; x < box.end().x; ++x) visit(z, y, x);
      }
    }
  }
  // The largest difference relative to the largest expected value, over `box`.
  static double Difference(const Volume& found, const Volume& expected, const Box3& box) {
    double difference = 0, largest = 1e-30;
    ForEach(box, [&](int64_t z, int64_t y, int64_t x) {
      const double d = std::abs(found.at(z, y, x) - expected.at(z, y, x));
      difference = std::isnan(d) ? std::numeric_limits<double>::infinity() : std::max(difference, d);
      largest = std::max(largest, std::abs(expected.at(z, y, x)));
    });
    return difference / largest;
  }

  std::mt19937_64 random_{testing::Seed()};
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Ops> ops_;
  Shape3 domain_;
  Box3 whole_;
};

}  // namespace deconvoy::worker
