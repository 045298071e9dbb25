#include "client/imageio/ome_acquisition.h"

#include <string>
#include <string_view>

#include "client/imageio/ome_nodes.h"
#include "client/imageio/units.h"

namespace deconvoy::imageio {
namespace {

constexpr size_t kWordBytes = 64;
constexpr double kMostOffset = 65535;

// 0 where it is missing or out of range.
double Number(const pugi::xml_node& node, const char* name, double least, double most) {
  const double value = node.attribute(name).as_double(0);
  return value >= least && value <= most ? value : 0;
}

std::string Word(const pugi::xml_node& node, const char* name) {
  return TextField(node.attribute(name).value(), kWordBytes);
}

// A part of an instrument, such as an `Objective`. Null where it cannot be told which one was used.
pugi::xml_node FindPart(const pugi::xml_node& root, std::string_view name, std::string_view id) {
  pugi::xml_node only;
  int64_t count = 0;
  for (const pugi::xml_node& instrument : root) {
    if (LocalName(instrument) != "Instrument") continue;
    for (const pugi::xml_node& node : instrument) {
      if (LocalName(node) != name) continue;
      if (!id.empty() && id == node.attribute("ID").value()) return node;
      only = node;
      ++count;
    }
  }
  return id.empty() && count == 1 ? only : pugi::xml_node();
}

ChannelAcquisition ReadChannel(const pugi::xml_node& root, const pugi::xml_node& node) {
  ChannelAcquisition channel{.mode = Word(node, "AcquisitionMode"),
                             .contrast = Word(node, "ContrastMethod"),
                             .illumination = Word(node, "IlluminationType"),
                             .pinhole_um = LengthUm(node, "PinholeSize", "\xc2\xb5m")};
  const pugi::xml_node settings = Child(node, "DetectorSettings");
  const pugi::xml_node detector = FindPart(root, "Detector", settings.attribute("ID").value());
  channel.detector = Word(detector, "Type");
  channel.detector_offset = Number(settings, "Offset", -kMostOffset, kMostOffset);
  if (channel.detector_offset == 0) channel.detector_offset = Number(detector, "Offset", -kMostOffset, kMostOffset);
  return channel;
}

}  // namespace

Acquisition ReadAcquisition(const pugi::xml_node& root, const pugi::xml_node& image, const pugi::xml_node& pixels) {
  // Schemas before 2011 call the settings ObjectiveRef.
  pugi::xml_node settings = Child(image, "ObjectiveSettings");
  if (!settings) settings = Child(image, "ObjectiveRef");
  const pugi::xml_node objective = FindPart(root, "Objective", settings.attribute("ID").value());
  Acquisition found;
  found.na = Number(objective, "LensNA", 0.01, 1.7);
  found.magnification = Number(objective, "CalibratedMagnification", 0.1, 1000);
  if (found.magnification == 0) found.magnification = Number(objective, "NominalMagnification", 0.1, 1000);
  found.immersion = Word(objective, "Immersion");
  if (found.immersion.empty()) found.immersion = Word(settings, "Medium");
  found.ri_immersion = Number(settings, "RefractiveIndex", 1, 2.5);
  for (const pugi::xml_node& node : pixels) {
    if (LocalName(node) == "Channel") found.channels.push_back(ReadChannel(root, node));
  }
  return found;
}

}  // namespace deconvoy::imageio
