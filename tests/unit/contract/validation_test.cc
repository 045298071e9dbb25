#include "proto/contract/validation.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <span>

#include "proto/contract/checksum.h"
#include "proto/contract/companion_volumes.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"
#include "tests/unit/contract/voxel_size.h"

namespace deconvoy {
namespace {

using ::testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

v1::VolumeSpec GoodVolume() {
  v1::VolumeSpec spec;
  spec.set_display_name("raw.tif");
  *spec.mutable_shape() = ToProto(Shape5{1, 2, 3, 4, 5});
  spec.set_type(v1::U16);
  *spec.mutable_voxel_size() = Size(0.3, 0.1, 0.1);
  return spec;
}

v1::JobSpec GoodDeconvolve() {
  v1::JobSpec spec;
  spec.mutable_deconvolve()->set_input_volume("volumes/a");
  spec.mutable_deconvolve()->set_psf_volume("volumes/b");
  spec.mutable_deconvolve()->set_method("rl");
  return spec;
}

v1::JobSpec GoodSimulate() {
  v1::JobSpec spec;
  v1::SimulateSpec& simulate = *spec.mutable_simulate();
  *simulate.mutable_shape() = ToProto(Shape3{16, 32, 32});
  simulate.set_kind(v1::MIXED);
  simulate.set_peak_photons(200);
  *simulate.mutable_voxel_size() = Size(0.2, 0.1, 0.1);
  *simulate.mutable_psf_fwhm() = Size(0.7, 0.25, 0.25);
  return spec;
}

v1::JobSpec GoodProject() {
  v1::JobSpec spec;
  spec.mutable_project()->set_input_volume("volumes/a");
  spec.mutable_project()->set_axis(v1::ProjectSpec::Z);
  return spec;
}

// `spoil` makes a good spec wrong in `field`.
void ExpectRefused(v1::JobSpec spec, const std::string& field, const std::function<void(v1::JobSpec&)>& spoil,
                   v1::ErrorReason reason = v1::INVALID_FIELD) {
  ASSERT_OK(ValidateJobSpec(spec));
  spoil(spec);
  const absl::Status status = ValidateJobSpec(spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
  EXPECT_EQ(ReasonOf(status), reason) << status.ToString();
  EXPECT_EQ(InfoOf(status).field(), field);
  EXPECT_NE(InfoOf(status).remedy(), "") << field;
  EXPECT_THAT(std::string(status.message()), HasSubstr(field));
}

void ExpectDeconvolveRefused(const std::string& field, const std::function<void(v1::DeconvolveSpec&)>& spoil,
                             v1::ErrorReason reason = v1::INVALID_FIELD) {
  ExpectRefused(
      GoodDeconvolve(), "deconvolve." + field, [&](v1::JobSpec& s) { spoil(*s.mutable_deconvolve()); }, reason);
}

void ExpectSimulateRefused(const std::string& field, const std::function<void(v1::SimulateSpec&)>& spoil,
                           v1::ErrorReason reason = v1::INVALID_FIELD) {
  ExpectRefused(
      GoodSimulate(), "simulate." + field, [&](v1::JobSpec& s) { spoil(*s.mutable_simulate()); }, reason);
}

TEST(ValidateRequestId, TakesLettersDigitsDashAndUnderscore) {
  EXPECT_OK(ValidateRequestId("a"));
  EXPECT_OK(ValidateRequestId("550e8400-e29b-41d4-a716-446655440000"));
  EXPECT_OK(ValidateRequestId(std::string(64, 'Z')));
  for (const std::string& wrong : {std::string(), std::string(65, 'a'), std::string("a b"), std::string("a/b"),
                                   std::string("a\n"), std::string("µ"), std::string(1, '\0')}) {
    EXPECT_EQ(InfoOf(ValidateRequestId(wrong)).field(), "request_id") << wrong;
  }
}

// --- Volumes ---

void ExpectVolumeRefused(const std::string& field, const std::function<void(v1::VolumeSpec&)>& spoil,
                         v1::ErrorReason reason = v1::INVALID_FIELD) {
  v1::VolumeSpec spec = GoodVolume();
  ASSERT_OK(ValidateVolumeSpec(spec));
  spoil(spec);
  const absl::Status status = ValidateVolumeSpec(spec);
  EXPECT_EQ(ReasonOf(status), reason) << status.ToString();
  EXPECT_EQ(InfoOf(status).field(), field);
}

TEST(ValidateVolumeSpec, TakesGoodOnes) {
  v1::VolumeSpec spec = GoodVolume();
  spec.clear_voxel_size();
  spec.clear_display_name();
  EXPECT_OK(ValidateVolumeSpec(spec));
  spec.set_display_name(std::string(255, 'x'));
  spec.set_digest(std::string(32, '\xff'));
  spec.add_channels()->set_name("DAPI");
  spec.add_channels()->set_emission_wavelength_um(0.52);
  EXPECT_OK(ValidateVolumeSpec(spec));
  spec.set_display_name("escape \x1b and \n are allowed, and escaped when shown");
  EXPECT_OK(ValidateVolumeSpec(spec));
}

TEST(ValidateVolumeSpec, RefusesBadOnes) {
  ExpectVolumeRefused(
      "display_name", [](auto& s) { s.set_display_name(std::string(256, 'x')); }, v1::LIMIT_EXCEEDED);
  ExpectVolumeRefused("display_name", [](auto& s) { s.set_display_name("\xff"); });
  ExpectVolumeRefused("type", [](auto& s) { s.clear_type(); });
  ExpectVolumeRefused("type", [](auto& s) { s.set_type(static_cast<v1::VoxelType>(9)); });
  ExpectVolumeRefused("shape.t", [](auto& s) { s.clear_shape(); });
  ExpectVolumeRefused("shape.y", [](auto& s) { s.mutable_shape()->set_y(0); });
  ExpectVolumeRefused(
      "shape.x", [](auto& s) { s.mutable_shape()->set_x((1 << 20) + 1); }, v1::LIMIT_EXCEEDED);
  ExpectVolumeRefused("digest", [](auto& s) { s.set_digest("short"); });
}

TEST(ValidateVolumeSpec, RefusesBadLengths) {
  for (const double wrong : {-0.1, std::nan(""), kInfinity, -kInfinity, 1e7, 1e-7}) {
    ExpectVolumeRefused("voxel_size.z_um", [wrong](auto& s) { s.mutable_voxel_size()->set_z_um(wrong); });
    ExpectVolumeRefused("voxel_size.y_um", [wrong](auto& s) { s.mutable_voxel_size()->set_y_um(wrong); });
    ExpectVolumeRefused("voxel_size.x_um", [wrong](auto& s) { s.mutable_voxel_size()->set_x_um(wrong); });
    ExpectVolumeRefused("channels[1].emission_wavelength_um", [wrong](auto& s) {
      s.add_channels();
      s.add_channels()->set_emission_wavelength_um(wrong);
    });
  }
}

TEST(ValidateVolumeSpec, RefusesBadChannels) {
  ExpectVolumeRefused("channels", [](auto& s) { s.add_channels(); });
  ExpectVolumeRefused(
      "channels[1].name",
      [](auto& s) {
        s.add_channels();
        s.add_channels()->set_name(std::string(256, 'x'));
      },
      v1::LIMIT_EXCEEDED);
}

TEST(ValidateVolumeSpec, BoundsWhatTheNamesOfAllChannelsTake) {
  v1::VolumeSpec spec = GoodVolume();
  spec.mutable_shape()->set_c(4096);
  for (int c = 0; c < 4096; ++c) spec.add_channels()->set_name(std::string(64, 'x'));
  EXPECT_OK(ValidateVolumeSpec(spec));
  spec.mutable_channels(7)->mutable_name()->push_back('x');
  const absl::Status status = ValidateVolumeSpec(spec);
  EXPECT_EQ(ReasonOf(status), v1::LIMIT_EXCEEDED) << status.ToString();
  EXPECT_EQ(InfoOf(status).field(), "channels");
}

// --- Jobs ---

TEST(ValidateJobSpec, TakesGoodOnes) {
  v1::JobSpec spec = GoodDeconvolve();
  EXPECT_OK(ValidateJobSpec(spec));
  v1::DeconvolveSpec& deconvolve = *spec.mutable_deconvolve();
  (*deconvolve.mutable_parameters())["iterations"] = "20";
  deconvolve.set_boundary(v1::MIRROR);
  deconvolve.set_offset_counts(-3.5);
  deconvolve.set_gain_photons_per_count(0.46);
  deconvolve.set_read_noise_photons(1.6);
  deconvolve.set_background_counts(0);
  deconvolve.set_psf_centre(v1::GIVEN);
  *deconvolve.mutable_psf_centre_voxel() = ToProto(Voxel{0, 5, 5});
  deconvolve.set_psf_energy(1);
  *deconvolve.mutable_tile()->mutable_core() = ToProto(Voxel{32, 96, 96});
  deconvolve.set_output_type(v1::U16);
  deconvolve.set_backend("cuda");
  EXPECT_OK(ValidateJobSpec(spec));
  deconvolve.set_background_auto(true);
  EXPECT_OK(ValidateJobSpec(spec));
  EXPECT_OK(ValidateJobSpec(GoodSimulate()));
  EXPECT_OK(ValidateJobSpec(GoodProject()));
}

TEST(ValidateJobSpec, RefusesNoWorkAndBadNames) {
  ExpectRefused(GoodProject(), "work", [](v1::JobSpec& s) { s.clear_work(); });
  ExpectRefused(
      GoodProject(), "display_name", [](v1::JobSpec& s) { s.set_display_name(std::string(256, 'x')); },
      v1::LIMIT_EXCEEDED);
}

TEST(ValidateDeconvolve, RefusesBadNames) {
  ExpectDeconvolveRefused("input_volume", [](auto& d) { d.clear_input_volume(); });
  ExpectDeconvolveRefused("input_volume", [](auto& d) { d.set_input_volume("jobs/a"); });
  ExpectDeconvolveRefused("psf_volume", [](auto& d) { d.set_psf_volume("volumes/../x"); });
  ExpectDeconvolveRefused("method", [](auto& d) { d.clear_method(); });
  ExpectDeconvolveRefused("method", [](auto& d) { d.set_method("RL"); });
  ExpectDeconvolveRefused("method", [](auto& d) { d.set_method(std::string(65, 'a')); });
  ExpectDeconvolveRefused("backend", [](auto& d) { d.set_backend("gpu"); });
}

TEST(ValidateDeconvolve, RefusesUnknownEnumValues) {
  ExpectDeconvolveRefused("boundary", [](auto& d) { d.set_boundary(static_cast<v1::Boundary>(77)); });
  ExpectDeconvolveRefused("psf_centre", [](auto& d) { d.set_psf_centre(static_cast<v1::PsfCentre>(-1)); });
  ExpectDeconvolveRefused("output_type", [](auto& d) { d.set_output_type(static_cast<v1::VoxelType>(4)); });
}

TEST(ValidateDeconvolve, RefusesBadNumbers) {
  for (const double wrong : {std::nan(""), kInfinity, -kInfinity, 1e13}) {
    ExpectDeconvolveRefused("offset_counts", [wrong](auto& d) { d.set_offset_counts(wrong); });
    ExpectDeconvolveRefused("gain_photons_per_count", [wrong](auto& d) { d.set_gain_photons_per_count(wrong); });
    ExpectDeconvolveRefused("read_noise_photons", [wrong](auto& d) { d.set_read_noise_photons(wrong); });
    ExpectDeconvolveRefused("background_counts", [wrong](auto& d) { d.set_background_counts(wrong); });
    ExpectDeconvolveRefused("psf_energy", [wrong](auto& d) { d.set_psf_energy(wrong); });
  }
  ExpectDeconvolveRefused("gain_photons_per_count", [](auto& d) { d.set_gain_photons_per_count(-1); });
  ExpectDeconvolveRefused("gain_photons_per_count", [](auto& d) { d.set_gain_photons_per_count(1e-300); });
  ExpectDeconvolveRefused("read_noise_photons", [](auto& d) { d.set_read_noise_photons(-0.1); });
  ExpectDeconvolveRefused("background_counts", [](auto& d) { d.set_background_counts(-0.1); });
  ExpectDeconvolveRefused("background_auto", [](auto& d) { d.set_background_auto(false); });
  ExpectDeconvolveRefused("background_planes_auto", [](auto& d) { d.set_background_planes_auto(false); });
  ExpectDeconvolveRefused("background_planes", [](auto& d) { d.mutable_background_planes(); });
  ExpectDeconvolveRefused("background_planes.counts[1]", [](auto& d) {
    d.mutable_background_planes()->add_counts(1);
    d.mutable_background_planes()->add_counts(-1);
  });
  v1::JobSpec planes = GoodDeconvolve();
  planes.mutable_deconvolve()->mutable_background_planes()->mutable_counts()->Resize(65536, 1.0);
  EXPECT_OK(ValidateJobSpec(planes));
  EXPECT_LT(planes.ByteSizeLong(), limits::kMessageBytes);
  planes.mutable_deconvolve()->mutable_background_planes()->add_counts(1);
  EXPECT_EQ(ReasonOf(ValidateJobSpec(planes)), v1::LIMIT_EXCEEDED);
  EXPECT_EQ(InfoOf(ValidateJobSpec(planes)).field(), "deconvolve.background_planes");
  for (const double wrong : {0.0, -5.0, 100.0, std::nan("")}) {
    ExpectDeconvolveRefused("background_percentile", [wrong](auto& d) { d.set_background_percentile(wrong); });
  }
  for (const double wrong : {-0.5, 1.0001, 1e-9}) {
    ExpectDeconvolveRefused("psf_energy", [wrong](auto& d) { d.set_psf_energy(wrong); });
  }
}

TEST(ValidateDeconvolve, RefusesOpticsThatCannotBe) {
  ExpectDeconvolveRefused("microscopy", [](auto& d) { d.set_microscopy(v1::CONFOCAL); });
  v1::JobSpec spec = GoodDeconvolve();
  v1::Optics& optics = *spec.mutable_deconvolve()->add_optics();
  const auto expect_missing = [&](const std::string& name) {
    const absl::Status status = ValidateJobSpec(spec);
    EXPECT_EQ(InfoOf(status).field(), "deconvolve.optics." + name) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(name));
  };
  optics.set_emission_um(0.52);
  expect_missing("na");
  optics.set_na(1.4);
  EXPECT_OK(ValidateJobSpec(spec));
  spec.mutable_deconvolve()->set_microscopy(v1::CONFOCAL);
  expect_missing("excitation_um");
}

TEST(ValidateCheckPsf, RefusesWhatItCannotCheck) {
  v1::JobSpec good;
  good.mutable_check_psf()->set_psf_volume("volumes/psf");
  EXPECT_OK(ValidateJobSpec(good));
  const auto refused = [&](const std::function<void(v1::CheckPsfSpec&)>& spoil) {
    v1::JobSpec spec = good;
    spoil(*spec.mutable_check_psf());
    const absl::Status status = ValidateJobSpec(spec);
    EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD) << status;
    return InfoOf(status).field();
  };
  EXPECT_EQ(refused([](auto& c) { c.clear_psf_volume(); }), "check_psf.psf_volume");
  EXPECT_EQ(refused([](auto& c) { c.add_optics(); }), "check_psf.optics.na");
  EXPECT_EQ(refused([](auto& c) { c.set_psf_centre(v1::GIVEN); }), "check_psf.psf_centre_voxel");
  EXPECT_EQ(refused([](auto& c) { c.set_psf_energy(2); }), "check_psf.psf_energy");
  EXPECT_EQ(refused([](auto& c) { c.set_psf_background_auto(false); }), "check_psf.psf_background_auto");
  EXPECT_EQ(refused([](auto& c) { c.set_psf_background_counts(-1); }), "check_psf.psf_background_counts");
  good.mutable_check_psf()->set_psf_background_auto(true);
  EXPECT_OK(ValidateJobSpec(good));
  good.mutable_check_psf()->set_psf_background_counts(0);
  EXPECT_OK(ValidateJobSpec(good));
  EXPECT_EQ(refused([](auto& c) { c.mutable_image_shape()->set_z(5); }), "check_psf.image_shape");
  EXPECT_EQ(refused([](auto& c) { c.mutable_image_voxel_size()->set_z_um(-1); }).substr(0, 26),
            "check_psf.image_voxel_size");
}

TEST(ValidateDeconvolve, RefusesBadVoxels) {
  ExpectDeconvolveRefused("psf_centre_voxel", [](auto& d) { d.set_psf_centre(v1::GIVEN); });
  ExpectDeconvolveRefused("psf_centre_voxel", [](auto& d) { d.mutable_psf_centre_voxel(); });
  ExpectDeconvolveRefused("psf_centre_voxel", [](auto& d) {
    d.set_psf_centre(v1::GIVEN);
    d.mutable_psf_centre_voxel()->set_y(-1);
  });
  ExpectDeconvolveRefused("tile.core", [](auto& d) { d.mutable_tile()->mutable_core()->set_z(5); });
  ExpectDeconvolveRefused("tile.core", [](auto& d) { *d.mutable_tile()->mutable_core() = ToProto(Voxel{-1, 8, 8}); });
  ExpectDeconvolveRefused("tile.core", [](auto& d) {
    *d.mutable_tile()->mutable_core() = ToProto(Voxel{8, 8, (1 << 20) + 1});
  });
  ExpectDeconvolveRefused("tile", [](auto& d) {
    d.mutable_tile()->set_whole(true);
    *d.mutable_tile()->mutable_core() = ToProto(Voxel{8, 8, 8});
  });
}

TEST(ValidateDeconvolve, RefusesBadParameters) {
  ExpectDeconvolveRefused(
      "parameters",
      [](auto& d) {
        for (int i = 0; i < 65; ++i) d.mutable_parameters()->insert({fmt::format("p{}", i), "1"});
      },
      v1::LIMIT_EXCEEDED);
  ExpectDeconvolveRefused("parameters", [](auto& d) { d.mutable_parameters()->insert({"", "1"}); });
  ExpectDeconvolveRefused(
      "parameters",
      [](auto& d) {
        d.mutable_parameters()->insert({std::string(65, 'p'), "1"});
      },
      v1::LIMIT_EXCEEDED);
  ExpectDeconvolveRefused(
      "parameters[\"p\"]",
      [](auto& d) {
        d.mutable_parameters()->insert({"p", std::string(257, '1')});
      },
      v1::LIMIT_EXCEEDED);
}

TEST(ValidateSimulate, TakesAGivenPsf) {
  v1::JobSpec spec = GoodSimulate();
  spec.mutable_simulate()->clear_psf_fwhm();
  spec.mutable_simulate()->clear_voxel_size();
  spec.mutable_simulate()->set_psf_volume("volumes/p");
  EXPECT_OK(ValidateJobSpec(spec));
}

TEST(ValidateSimulate, RefusesBadOnes) {
  ExpectSimulateRefused("shape", [](auto& s) { s.mutable_shape()->set_z(0); });
  ExpectSimulateRefused("shape", [](auto& s) { s.mutable_shape()->set_x(-7); });
  ExpectSimulateRefused(
      "shape",
      [](auto& s) {
        *s.mutable_shape() = ToProto(Voxel{1 << 20, 1 << 20, 1 << 20});
      },
      v1::LIMIT_EXCEEDED);
  ExpectSimulateRefused("kind", [](auto& s) { s.clear_kind(); });
  ExpectSimulateRefused("kind", [](auto& s) { s.set_kind(static_cast<v1::SpecimenKind>(42)); });
  ExpectSimulateRefused("raw_type", [](auto& s) { s.set_raw_type(static_cast<v1::VoxelType>(42)); });
  ExpectSimulateRefused("psf_fwhm", [](auto& s) { s.set_psf_volume("volumes/p"); });
  ExpectSimulateRefused("psf_volume", [](auto& s) { s.set_psf_volume("p"); });
  ExpectSimulateRefused("psf_fwhm.z_um", [](auto& s) { s.clear_psf_fwhm(); });
  ExpectSimulateRefused("voxel_size.z_um", [](auto& s) { s.clear_voxel_size(); });
}

TEST(ValidateSimulate, RefusesBadNumbers) {
  for (const double wrong : {std::nan(""), kInfinity, 1e13}) {
    ExpectSimulateRefused("peak_photons", [wrong](auto& s) { s.set_peak_photons(wrong); });
    ExpectSimulateRefused("background_photons", [wrong](auto& s) { s.set_background_photons(wrong); });
    ExpectSimulateRefused("read_noise_photons", [wrong](auto& s) { s.set_read_noise_photons(wrong); });
    ExpectSimulateRefused("gain_photons_per_count", [wrong](auto& s) { s.set_gain_photons_per_count(wrong); });
    ExpectSimulateRefused("offset_counts", [wrong](auto& s) { s.set_offset_counts(wrong); });
    ExpectSimulateRefused("voxel_size.x_um", [wrong](auto& s) { s.mutable_voxel_size()->set_x_um(wrong); });
    ExpectSimulateRefused("psf_fwhm.x_um", [wrong](auto& s) { s.mutable_psf_fwhm()->set_x_um(wrong); });
  }
  ExpectSimulateRefused("peak_photons", [](auto& s) { s.set_peak_photons(0); });
  ExpectSimulateRefused("background_photons", [](auto& s) { s.set_background_photons(-1); });
}

TEST(ValidateProject, RefusesBadOnes) {
  ExpectRefused(GoodProject(), "project.input_volume", [](auto& s) { s.mutable_project()->clear_input_volume(); });
  ExpectRefused(GoodProject(), "project.axis", [](auto& s) { s.mutable_project()->clear_axis(); });
  ExpectRefused(GoodProject(), "project.axis",
                [](auto& s) { s.mutable_project()->set_axis(static_cast<v1::ProjectSpec::Axis>(4)); });
}

// --- Chunks ---

v1::Chunk GoodChunk() {
  v1::Chunk chunk;
  *chunk.mutable_box() = ToProto(FrameBox{.t = 0, .c = 1, .box = {{0, 1, 2}, {3, 2, 2}}});
  chunk.set_data(std::string(24, 'v'));
  chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
  return chunk;
}

TEST(ValidateChunk, TakesAGoodOne) {
  EXPECT_OK(ValidateChunk(GoodChunk(), GoodVolume()));
}

TEST(ValidateChunk, RefusesABoxOutside) {
  v1::Chunk chunk = GoodChunk();
  chunk.mutable_box()->set_c(2);
  EXPECT_EQ(InfoOf(ValidateChunk(chunk, GoodVolume())).field(), "chunk.box");
  chunk.clear_box();
  EXPECT_EQ(InfoOf(ValidateChunk(chunk, GoodVolume())).field(), "chunk.box");
}

TEST(ValidateChunk, RefusesTheWrongNumberOfBytes) {
  v1::Chunk chunk = GoodChunk();
  chunk.mutable_data()->push_back('v');
  EXPECT_EQ(InfoOf(ValidateChunk(chunk, GoodVolume())).field(), "chunk.data");
  chunk.clear_data();
  EXPECT_EQ(InfoOf(ValidateChunk(chunk, GoodVolume())).field(), "chunk.data");
  chunk.set_data(std::string(limits::kChunkBytes + 1, 'v'));
  EXPECT_EQ(ReasonOf(ValidateChunk(chunk, GoodVolume())), v1::LIMIT_EXCEEDED);
}

TEST(ValidateChunk, RefusesAFlippedBit) {
  v1::Chunk chunk = GoodChunk();
  (*chunk.mutable_data())[7] ^= 1;
  const absl::Status status = ValidateChunk(chunk, GoodVolume());
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReasonOf(status), v1::CHECKSUM_MISMATCH);
}

TEST(ValidateJobSpec, ThePsfsBackgroundIsNotNegative) {
  v1::JobSpec job = GoodDeconvolve();
  job.mutable_deconvolve()->set_psf_background_auto(true);
  EXPECT_OK(ValidateJobSpec(job));
  job.mutable_deconvolve()->set_psf_background_auto(false);
  EXPECT_EQ(InfoOf(ValidateJobSpec(job)).field(), "deconvolve.psf_background_auto");
  job.mutable_deconvolve()->set_psf_background_counts(-1);
  EXPECT_EQ(InfoOf(ValidateJobSpec(job)).field(), "deconvolve.psf_background_counts");
}

TEST(ValidateJobSpec, ChecksMaskSaturationAndDepths) {
  const auto field = [](const std::function<void(v1::DeconvolveSpec&)>& change) {
    v1::JobSpec spec = GoodDeconvolve();
    change(*spec.mutable_deconvolve());
    return InfoOf(ValidateJobSpec(spec)).field();
  };
  EXPECT_EQ(field([](auto& spec) { spec.set_mask_volume("jobs/a"); }), "deconvolve.mask_volume");
  EXPECT_EQ(field([](auto& spec) { spec.set_saturation_counts(-1); }), "deconvolve.saturation_counts");
  EXPECT_EQ(field([](auto& spec) { spec.add_psf_depths_um(kInfinity); }), "deconvolve.psf_depths_um");
  EXPECT_EQ(field([](auto& spec) {
              for (const double d : {1, 1}) spec.add_psf_depths_um(d);
            }),
            "deconvolve.psf_depths_um");
  EXPECT_EQ(field([](auto& spec) {
              for (int i = 0; i < 65; ++i) spec.add_psf_depths_um(i);
            }),
            "deconvolve.psf_depths_um");
  EXPECT_EQ(field([](auto& spec) {
              for (int i = 0; i < 64; ++i) spec.add_psf_depths_um(i);
            }),
            "");
}

TEST(ValidateJobSpec, RefusesWhatNoCameraDoes) {
  ExpectDeconvolveRefused("dark_photons", [](auto& s) { s.set_dark_photons(-1); });
  ExpectDeconvolveRefused("flat_field_volume", [](auto& s) { s.set_flat_field_volume("flat"); });
  ExpectDeconvolveRefused("estimate_gain", [](auto& s) {
    s.set_gain_photons_per_count(2);
    s.set_estimate_gain(true);
  });
}

TEST(ValidateJobSpec, ARegionHasAnOriginAndExtents) {
  const auto field = [](const std::function<void(v1::DeconvolveSpec&)>& change) {
    v1::JobSpec spec = GoodDeconvolve();
    *spec.mutable_deconvolve()->mutable_region_origin() = ToProto(Voxel{0, 0, 0});
    *spec.mutable_deconvolve()->mutable_region_shape() = ToProto(Shape3{1, 2, 3});
    change(*spec.mutable_deconvolve());
    return InfoOf(ValidateJobSpec(spec)).field();
  };
  EXPECT_EQ(field([](auto&) {}), "");
  EXPECT_EQ(field([](auto& spec) { spec.clear_region_origin(); }), "deconvolve.region_origin");
  EXPECT_EQ(field([](auto& spec) { spec.clear_region_shape(); }), "deconvolve.region_shape");
  EXPECT_EQ(field([](auto& spec) { spec.mutable_region_origin()->set_y(-1); }), "deconvolve.region_origin");
  EXPECT_EQ(field([](auto& spec) { spec.mutable_region_shape()->set_x(0); }), "deconvolve.region_shape");
  EXPECT_EQ(field([](auto& spec) { spec.mutable_region_shape()->set_z((1 << 20) + 1); }), "deconvolve.region_shape");
}

}  // namespace
}  // namespace deconvoy
