// Whole commands against a server inside the test process, with a stack and a PSF to work on.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "client/cli/program.h"
#include "client/imageio/image_file.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/fake_service.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {

struct Result {
  int code = -1;
  std::string out, err;
};

class ProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("XDG_CONFIG_HOME", folder_.path().c_str(), 1);
    unsetenv("DECONVOY_SERVER");
    Save("raw.tif", {1, 2, 3, 8, 9}, v1::F32);
    Save("psf.tif", {1, 1, 3, 5, 5}, v1::F32);
  }
  void TearDown() override { unsetenv("XDG_CONFIG_HOME"); }

  std::string File(const std::string& name) const { return (folder_.path() / name).string(); }

  void Save(const std::string& name, const Shape5& shape, v1::VoxelType type, double plane_um = 0.2) {
    v1::VolumeSpec spec;
    *spec.mutable_shape() = ToProto(shape);
    spec.set_type(type);
    spec.mutable_voxel_size()->set_z_um(plane_um);
    spec.mutable_voxel_size()->set_y_um(0.1);
    spec.mutable_voxel_size()->set_x_um(0.1);
    ASSERT_OK_AND_ASSIGN(const auto writer, imageio::CreateImage(File(name), spec, {}));
    std::vector<float> plane(static_cast<size_t>(shape.y * shape.x));
    for (int64_t i = 0; i < shape.t * shape.c * shape.z; ++i) {
      for (float& value : plane) value = static_cast<float>(i) + 1;
      ASSERT_OK(writer->WritePlane(
          std::as_bytes(std::span(plane)).first(static_cast<size_t>(shape.y * shape.x * BytesPerVoxel(type)))));
    }
    ASSERT_OK(writer->Finish());
  }

  Result Run(std::vector<std::string> arguments) {
    std::ostringstream out, err;
    Program program{.console = {.out = out, .err = err}};
    arguments.insert(arguments.begin(), "deconvoy");
    std::vector<const char*> pointers;
    for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
    Result result;
    result.code = RunProgram(program, static_cast<int>(pointers.size()), pointers.data());
    result.out = out.str();
    result.err = err.str();
    return result;
  }

  // The same with the fake server.
  Result Served(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--server", service_.address()});
    return Run(arguments);
  }

  Result RunJob(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"run", File("raw.tif"), "--psf", File("psf.tif"), "-o", File("out.tif")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Served(arguments);
  }

  ::deconvoy::testing::TemporaryFolder folder_;
  ::deconvoy::testing::FakeService service_;
};

}  // namespace deconvoy::client
