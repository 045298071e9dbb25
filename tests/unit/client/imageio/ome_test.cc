#include "client/imageio/ome.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pugixml.hpp>

#include "client/imageio/image_file.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "tests/support/test_support.h"
#include "tests/unit/client/imageio/tiff_builder.h"

namespace deconvoy::imageio::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const PageInfo kPage{.width = 7, .height = 5, .type = v1::U16};

std::string Ome(const std::string& pixels_attributes, const std::string& inside,
                const std::string& root_attributes = "") {
  return fmt::format(
      R"(<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" {}><Image ID="Image:0">)"
      R"(<Pixels ID="Pixels:0" Type="uint16" SizeX="7" SizeY="5" {}>{}</Pixels></Image></OME>)",
      root_attributes, pixels_attributes, inside);
}

constexpr char kTwoEach[] = R"(DimensionOrder="XYZCT" SizeZ="2" SizeC="2" SizeT="2")";

absl::StatusOr<OmeStack> Parse(const std::string& xml, int64_t pages = 8) {
  return ParseOme(xml, "/data/stack.ome.tif", pages, kPage);
}

std::string ErrorOf(const std::string& xml, int64_t pages = 8) {
  const absl::Status status = Parse(xml, pages).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(InfoOf(status).remedy().empty());
  return std::string(status.message());
}

TEST(Ome, IsRecognised) {
  EXPECT_TRUE(IsOme("<?xml version=\"1.0\"?><!-- comment --><OME xmlns=\"x\">"));
  EXPECT_TRUE(IsOme("\xef\xbb\xbf\n<ome:OME xmlns:ome=\"x\">"));
  EXPECT_FALSE(IsOme("ImageJ=1.53t"));
  EXPECT_FALSE(IsOme("<svg/>"));
  EXPECT_FALSE(IsOme(""));
}

TEST(Ome, EveryDimensionOrder) {
  const std::vector<std::pair<std::string, std::vector<int64_t>>> orders{
      {"XYZCT", {0, 1, 2, 3, 4, 5, 6, 7}}, {"XYCZT", {0, 2, 1, 3, 4, 6, 5, 7}}, {"XYZTC", {0, 1, 4, 5, 2, 3, 6, 7}},
      {"XYTZC", {0, 2, 4, 6, 1, 3, 5, 7}}, {"XYCTZ", {0, 4, 1, 5, 2, 6, 3, 7}}, {"XYTCZ", {0, 4, 2, 6, 1, 5, 3, 7}}};
  for (const auto& [order, pages] : orders) {
    ASSERT_OK_AND_ASSIGN(
        const OmeStack stack,
        Parse(Ome(fmt::format(R"(DimensionOrder="{}" SizeZ="2" SizeC="2" SizeT="2")", order), "<TiffData/>")));
    EXPECT_EQ(stack.page_of_plane, pages) << order;
  }
}

TEST(Ome, PhysicalSizesChannelsAndUnits) {
  const std::string channels =
      R"(<Channel ID="Channel:0:0" Name="DAPI" EmissionWavelength="461" ExcitationWavelength="0.358" ExcitationWavelengthUnit=")"
      "\xc2\xb5m"
      R"("/><Channel ID="Channel:0:1" Name="GFP"/>)";
  ASSERT_OK_AND_ASSIGN(
      const OmeStack stack,
      Parse(Ome(
          fmt::format(
              "{}{}", kTwoEach,
              R"( PhysicalSizeX="65" PhysicalSizeXUnit="nm" PhysicalSizeY="0.065" PhysicalSizeZ="2e-4" PhysicalSizeZUnit="mm")"),
          channels)));
  EXPECT_DOUBLE_EQ(stack.voxel_size.x_um(), 0.065);
  EXPECT_DOUBLE_EQ(stack.voxel_size.y_um(), 0.065);
  EXPECT_DOUBLE_EQ(stack.voxel_size.z_um(), 0.2);
  ASSERT_EQ(stack.channels.size(), 2U);
  EXPECT_EQ(stack.channels[0].name(), "DAPI");
  EXPECT_DOUBLE_EQ(stack.channels[0].emission_wavelength_um(), 0.461);
  EXPECT_DOUBLE_EQ(stack.channels[0].excitation_wavelength_um(), 0.358);
  EXPECT_EQ(stack.channels[1].name(), "GFP");
  EXPECT_EQ(stack.shape, (Shape5{2, 2, 2, 5, 7}));
}

// A file is read whatever it calls its channels.
TEST(Ome, NamesOfManyChannelsAreCut) {
  constexpr int kMany = 2000;
  std::string channels;
  for (int c = 0; c < kMany; ++c) channels += fmt::format(R"(<Channel Name="{}{:0>200}"/>)", c, 'n');
  ASSERT_OK_AND_ASSIGN(const OmeStack stack,
                       Parse(Ome(fmt::format(R"(DimensionOrder="XYZCT" SizeZ="1" SizeC="{}" SizeT="1")", kMany),
                                 channels + "<TiffData/>"),
                             kMany));
  ASSERT_EQ(stack.channels.size(), static_cast<size_t>(kMany));
  size_t bytes = 0;
  for (const v1::Channel& channel : stack.channels) bytes += channel.name().size();
  EXPECT_LE(bytes, limits::kChannelNamesBytes);
  EXPECT_THAT(stack.channels[1999].name(), ::testing::StartsWith("19990000"));
}

std::string WithInstrument(const std::string& instruments, const std::string& settings, const std::string& channel) {
  return fmt::format(
      R"(<OME xmlns="u">{}<Image ID="Image:0">{}<Pixels Type="uint16" SizeX="7" SizeY="5" SizeZ="2" SizeC="1" SizeT="1">{}</Pixels></Image></OME>)",
      instruments, settings, channel);
}

constexpr char kTwoObjectives[] =
    R"(<Instrument ID="I:0"><Objective ID="O:0" LensNA="0.8" Immersion="Air" NominalMagnification="20"/>)"
    R"(<Objective ID="O:1" LensNA="1.4" Immersion="Oil" NominalMagnification="63" CalibratedMagnification="63.5"/></Instrument>)";

TEST(Ome, TellsHowTheImageWasTaken) {
  ASSERT_OK_AND_ASSIGN(
      const OmeStack stack,
      Parse(WithInstrument(
          kTwoObjectives, R"(<ObjectiveSettings ID="O:1" RefractiveIndex="1.518" Medium="Oil"/>)",
          R"(<Channel AcquisitionMode="LaserScanningConfocalMicroscopy" ContrastMethod="Fluorescence" IlluminationType="Epifluorescence" PinholeSize="50000" PinholeSizeUnit="nm"/>)")));
  const Acquisition& found = stack.acquisition;
  EXPECT_EQ(found.na, 1.4);
  EXPECT_EQ(found.magnification, 63.5);
  EXPECT_EQ(found.immersion, "Oil");
  EXPECT_EQ(found.ri_immersion, 1.518);
  ASSERT_EQ(found.channels.size(), 1U);
  EXPECT_EQ(found.channels[0].mode, "LaserScanningConfocalMicroscopy");
  EXPECT_EQ(found.channels[0].contrast, "Fluorescence");
  EXPECT_EQ(found.channels[0].illumination, "Epifluorescence");
  EXPECT_NEAR(found.channels[0].pinhole_um, 50, 1e-9);
}

TEST(Ome, TellsTheDetectorsOffset) {
  const std::string cameras =
      R"(<Instrument ID="I:0"><Detector ID="D:0" Type="CMOS" Offset="90"/><Detector ID="D:1" Type="PMT"/></Instrument>)";
  const auto channel = [&](const std::string& settings) {
    const auto stack = Parse(WithInstrument(cameras, "", "<Channel>" + settings + "</Channel>"));
    EXPECT_OK(stack.status());
    return stack.ok() && !stack->acquisition.channels.empty() ? stack->acquisition.channels[0] : ChannelAcquisition();
  };
  const ChannelAcquisition camera = channel(R"(<DetectorSettings ID="D:0" Offset="101.5" Gain="4"/>)");
  EXPECT_EQ(camera.detector, "CMOS");
  EXPECT_EQ(camera.detector_offset, 101.5);
  EXPECT_EQ(channel(R"(<DetectorSettings ID="D:0"/>)").detector_offset, 90) << "the detector's own";
  const ChannelAcquisition tube = channel(R"(<DetectorSettings ID="D:1" Offset="-2.5"/>)");
  EXPECT_EQ(tube.detector, "PMT");
  EXPECT_EQ(tube.detector_offset, -2.5);
  for (const char* unknown : {"", R"(<DetectorSettings ID="D:7"/>)", R"(<DetectorSettings ID="D:1" Offset="1e9"/>)"}) {
    EXPECT_EQ(channel(unknown).detector_offset, 0) << unknown;
  }
}

TEST(Ome, AnObjectiveThatIsNotReferredToIsTheOnlyOneOrUnknown) {
  ASSERT_OK_AND_ASSIGN(const OmeStack unknown, Parse(WithInstrument(kTwoObjectives, "", "")));
  EXPECT_EQ(unknown.acquisition.na, 0);
  ASSERT_OK_AND_ASSIGN(
      const OmeStack only,
      Parse(
          WithInstrument(R"(<Instrument><Objective ID="O:0" LensNA="1.2" Immersion="Water"/></Instrument>)", "", "")));
  EXPECT_EQ(only.acquisition.na, 1.2);
  EXPECT_TRUE(only.acquisition.channels.empty());
  ASSERT_OK_AND_ASSIGN(const OmeStack elsewhere,
                       Parse(WithInstrument(R"(<Instrument><Objective ID="O:0" LensNA="1.2"/></Instrument>)",
                                            R"(<ObjectiveSettings ID="O:7" RefractiveIndex="9"/>)", "<Channel/>")));
  EXPECT_EQ(elsewhere.acquisition.na, 0);
  EXPECT_EQ(elsewhere.acquisition.ri_immersion, 0) << "no medium has such an index";
}

TEST(Ome, SizesInPixelsAndNonsenseAreUnknown) {
  ASSERT_OK_AND_ASSIGN(
      const OmeStack stack,
      Parse(Ome(fmt::format("{}{}", kTwoEach,
                            R"( PhysicalSizeX="1" PhysicalSizeXUnit="pixel" PhysicalSizeY="nan" PhysicalSizeZ="-3")"),
                "")));
  EXPECT_EQ(stack.voxel_size.x_um(), 0);
  EXPECT_EQ(stack.voxel_size.y_um(), 0);
  EXPECT_EQ(stack.voxel_size.z_um(), 0);
  EXPECT_TRUE(stack.channels.empty());
}

TEST(Ome, PrefixedElementsAndOldSchemas) {
  ASSERT_OK_AND_ASSIGN(
      const OmeStack stack,
      Parse(
          R"(<ome:OME xmlns:ome="u"><ome:Image><ome:Pixels DimensionOrder="XYZCT" PixelType="uint16" SizeX="7" SizeY="5" SizeZ="3" SizeC="1" SizeT="1"/></ome:Image></ome:OME>)",
          3));
  EXPECT_THAT(stack.page_of_plane, ElementsAre(0, 1, 2));
}

TEST(Ome, TiffDataPlacesPlanes) {
  std::string data;
  for (int i = 0; i < 8; ++i) {
    data += fmt::format(R"(<TiffData IFD="{}" FirstZ="{}" FirstC="{}" FirstT="{}"/>)", 7 - i, i % 2, i / 2 % 2, i / 4);
  }
  ASSERT_OK_AND_ASSIGN(const OmeStack stack, Parse(Ome(kTwoEach, data)));
  EXPECT_THAT(stack.page_of_plane, ElementsAre(7, 6, 5, 4, 3, 2, 1, 0));
  ASSERT_OK_AND_ASSIGN(
      const OmeStack runs,
      Parse(Ome(kTwoEach, R"(<TiffData IFD="4" PlaneCount="4"/><TiffData IFD="0" FirstT="1" PlaneCount="4"/>)")));
  EXPECT_THAT(runs.page_of_plane, ElementsAre(4, 5, 6, 7, 0, 1, 2, 3));
}

TEST(Ome, ContradictionsAreRefusedSayingBothNumbers) {
  EXPECT_THAT(ErrorOf(Ome(kTwoEach, ""), 7),
              HasSubstr("2 time points x 2 channels x 2 planes, but the file has 7 pages"));
  EXPECT_THAT(
      ErrorOf(R"(<OME><Image><Pixels Type="uint16" SizeX="8" SizeY="5" SizeZ="1" SizeC="1" SizeT="1"/></Image></OME>)"),
      HasSubstr("8 x 5 pixels, but the pages have 7 x 5"));
  EXPECT_THAT(
      ErrorOf(R"(<OME><Image><Pixels Type="int16" SizeX="7" SizeY="5" SizeZ="1" SizeC="1" SizeT="1"/></Image></OME>)"),
      HasSubstr("type is int16, but the pages hold uint16"));
  EXPECT_THAT(ErrorOf(Ome(kTwoEach, R"(<TiffData IFD="0" PlaneCount="7"/>)")),
              HasSubstr("no page for time point 1, channel 1, plane 1"));
  EXPECT_THAT(ErrorOf(Ome(kTwoEach, R"(<TiffData IFD="6" PlaneCount="4"/>)")), HasSubstr("the file has 8 pages"));
  EXPECT_THAT(ErrorOf(Ome(kTwoEach, "<TiffData/><TiffData/>")), HasSubstr("more than the stack's 8 planes"));
  EXPECT_THAT(ErrorOf(Ome(kTwoEach, R"(<TiffData/><TiffData IFD="3"/>)")), HasSubstr("more than the stack's 8 planes"));
  EXPECT_THAT(ErrorOf(Ome(kTwoEach, R"(<TiffData FirstZ="2"/>)")), HasSubstr("FirstZ=2"));
  EXPECT_THAT(ErrorOf(Ome(kTwoEach, R"(<TiffData IFD="-1"/>)")), HasSubstr("page 0"));
  EXPECT_THAT(ErrorOf(Ome(R"(DimensionOrder="XYZZT" SizeZ="2" SizeC="2" SizeT="2")", "")), HasSubstr("XYZZT"));
  EXPECT_THAT(ErrorOf(Ome(R"(DimensionOrder="XYZCT" SizeZ="0" SizeC="2" SizeT="2")", "")), HasSubstr("SizeZ=\"0\""));
  EXPECT_THAT(ErrorOf(Ome(R"(SizeZ="1048576" SizeC="4096" SizeT="1048576")", "")), HasSubstr("the file has 8 pages"));
  EXPECT_THAT(ErrorOf(Ome(kTwoEach, "<BinData/>")), HasSubstr("inside the XML"));
  EXPECT_THAT(ErrorOf("<OME/>"), HasSubstr("no image"));
  EXPECT_THAT(ErrorOf("<OME><Image>"), HasSubstr("malformed at byte"));
}

TEST(Ome, SetsOfFilesAreRefusedNamingTheOther) {
  const auto data = [](int page, const std::string& uuid, const std::string& name) {
    return fmt::format(R"(<TiffData IFD="0" FirstZ="{}"><UUID FileName="{}">{}</UUID></TiffData>)", page, name, uuid);
  };
  const std::string two = R"(DimensionOrder="XYZCT" SizeZ="2" SizeC="1" SizeT="1")";
  EXPECT_THAT(ErrorOf(Ome(two, data(0, "u1", "stack.ome.tif") + data(1, "u2", "second.ome.tif"), "UUID=\"u1\""), 1),
              HasSubstr("other planes lie in second.ome.tif"));
  EXPECT_THAT(ErrorOf(Ome(two, data(0, "u1", "stack.ome.tif") + data(1, "u2", "second.ome.tif")), 1),
              HasSubstr("second.ome.tif"));
  EXPECT_THAT(ErrorOf(R"(<OME><BinaryOnly MetadataFile="set.companion.ome" UUID="u"/></OME>)"),
              HasSubstr("set.companion.ome"));
  // The same file under another name.
  const std::string one = R"(DimensionOrder="XYZCT" SizeZ="1" SizeC="1" SizeT="1")";
  EXPECT_OK(Parse(Ome(one, data(0, "u1", "before.ome.tif"), "UUID=\"u1\"")));
  EXPECT_OK(Parse(Ome(one, data(0, "u1", "before.ome.tif"))));
}

TEST(Ome, TheFirstOfSeveralImagesIsReadAndItIsSaid) {
  const std::string xml =
      R"(<OME><Image><Pixels Type="uint16" SizeX="7" SizeY="5" SizeZ="1" SizeC="1" SizeT="1"><TiffData IFD="1"/></Pixels></Image>)"
      R"(<Image><Pixels Type="uint8" SizeX="1" SizeY="1" SizeZ="1" SizeC="1" SizeT="1"/></Image></OME>)";
  ASSERT_OK_AND_ASSIGN(const OmeStack stack, Parse(xml));
  EXPECT_THAT(stack.page_of_plane, ElementsAre(1));
  EXPECT_THAT(stack.notes, Contains(HasSubstr("2 images")));
}

TEST(Ome, WhatIsWrittenIsWellFormedAndReadBack) {
  v1::VolumeSpec spec;
  spec.set_display_name("a<&\"\x01 b");
  spec.set_type(v1::U16);
  spec.mutable_shape()->set_t(2);
  spec.mutable_shape()->set_c(2);
  spec.mutable_shape()->set_z(2);
  spec.mutable_shape()->set_y(5);
  spec.mutable_shape()->set_x(7);
  spec.mutable_voxel_size()->set_x_um(0.066813);
  spec.mutable_voxel_size()->set_y_um(0.07);
  spec.mutable_voxel_size()->set_z_um(0.2);
  v1::Channel* channel = spec.add_channels();
  channel->set_name("DNA \xce\xb1");
  channel->set_emission_wavelength_um(0.435);
  channel->set_excitation_wavelength_um(0.4);
  spec.add_channels()->set_name("tubulin");
  const std::string xml = FormatOme(spec);
  EXPECT_TRUE(IsOme(xml));
  ASSERT_OK_AND_ASSIGN(const OmeStack stack, Parse(xml));
  EXPECT_EQ(stack.voxel_size.SerializeAsString(), spec.voxel_size().SerializeAsString());
  ASSERT_EQ(stack.channels.size(), 2U);
  EXPECT_EQ(stack.channels[0].name(), "DNA \xce\xb1");
  EXPECT_DOUBLE_EQ(stack.channels[0].emission_wavelength_um(), 0.435);
  EXPECT_DOUBLE_EQ(stack.channels[0].excitation_wavelength_um(), 0.4);
  EXPECT_EQ(stack.channels[1].name(), "tubulin");

  pugi::xml_document document;
  ASSERT_TRUE(document.load_string(xml.c_str()));
  const pugi::xml_node pixels = document.child("OME").child("Image").child("Pixels");
  EXPECT_STREQ(document.child("OME").attribute("xmlns").value(), "http://www.openmicroscopy.org/Schemas/OME/2016-06");
  EXPECT_STREQ(pixels.attribute("DimensionOrder").value(), "XYZCT");
  EXPECT_STREQ(pixels.attribute("PhysicalSizeXUnit").value(), "\xc2\xb5m");
  EXPECT_STREQ(pixels.child("Channel").attribute("EmissionWavelengthUnit").value(), "nm");
  EXPECT_STREQ(pixels.last_child().name(), "TiffData");
  EXPECT_EQ(pixels.child("TiffData").attribute("PlaneCount").as_int(), 8);
}

TEST(Ome, PagesAreReadThroughTheMetadata) {
  const ::deconvoy::testing::TemporaryFolder folder;
  const TestTiff tiff{.pages = 8,
                      .description = Ome(R"(DimensionOrder="XYCZT" SizeZ="2" SizeC="2" SizeT="2")", "<TiffData/>")};
  WriteTiff(folder.path() / "a.ome.tif", tiff);
  ASSERT_OK_AND_ASSIGN(const auto image, OpenImage(folder.path() / "a.ome.tif"));
  EXPECT_EQ(image->format(), "OME-TIFF");
  const auto planes = ReadAllPlanes(*image);
  ASSERT_EQ(planes.size(), 8U);
  const std::vector<int64_t> pages{0, 2, 1, 3, 4, 6, 5, 7};
  for (size_t i = 0; i < 8; ++i) EXPECT_TRUE(planes[i] == ExpectedPage(tiff, pages[i])) << i;
}

}  // namespace
}  // namespace deconvoy::imageio::testing
