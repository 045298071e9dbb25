#include "client/imageio/ome.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <pugixml.hpp>

#include "client/imageio/image_errors.h"
#include "client/imageio/ome_acquisition.h"
#include "client/imageio/ome_nodes.h"
#include "client/imageio/units.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::imageio {
namespace {

constexpr std::string_view kRemedy = "Open it in Fiji (Bio-Formats) and save it as TIFF or OME-TIFF in one file.";

class OmeParser {
 public:
  OmeParser(const std::filesystem::path& path, int64_t pages, const PageInfo& page)
      : path_(path), pages_(pages), page_(page) {}

  absl::StatusOr<OmeStack> Parse(std::string_view xml) {
    const pugi::xml_parse_result parsed = document_.load_buffer(xml.data(), xml.size());
    if (!parsed) {
      return Wrong(fmt::format("is malformed at byte {}: {}", parsed.offset, parsed.description()));
    }
    root_ = Child(document_, "OME");
    if (const pugi::xml_node elsewhere = Child(root_, "BinaryOnly")) {
      return FileError(
          path_,
          fmt::format("is one file of a set: its OME metadata lie in {}", elsewhere.attribute("MetadataFile").value()),
          kRemedy);
    }
    const pugi::xml_node image = Child(root_, "Image");
    pixels_ = Child(image, "Pixels");
    if (!pixels_) return Wrong("describes no image");
    if (const int64_t images = CountChildren(root_, "Image"); images > 1) {
      stack_.notes.push_back(fmt::format("The file holds {} images; the first is read.", images));
    }
    RETURN_IF_ERROR(ReadShape());
    RETURN_IF_ERROR(CheckType());
    ReadPhysicalSizes();
    ReadChannels();
    stack_.acquisition = ReadAcquisition(root_, image, pixels_);
    if (static_cast<int64_t>(stack_.acquisition.channels.size()) != stack_.shape.c) stack_.acquisition.channels.clear();
    RETURN_IF_ERROR(MapPlanes());
    return std::move(stack_);
  }

 private:
  absl::Status Wrong(std::string_view reason) const {
    return FileError(path_, fmt::format("its OME metadata cannot be used: it {}", reason), kRemedy);
  }

  absl::StatusOr<int64_t> Size(const char* name, int64_t limit) const {
    const long long value = pixels_.attribute(name).as_llong(0);
    if (value >= 1 && value <= limit) return value;
    return Wrong(fmt::format("says {}=\"{}\", which must be 1 to {}", name, pixels_.attribute(name).value(), limit));
  }

  absl::Status ReadShape() {
    Shape5& shape = stack_.shape;
    ASSIGN_OR_RETURN(shape.x, Size("SizeX", limits::kAxisVoxels));
    ASSIGN_OR_RETURN(shape.y, Size("SizeY", limits::kAxisVoxels));
    ASSIGN_OR_RETURN(shape.z, Size("SizeZ", limits::kAxisVoxels));
    ASSIGN_OR_RETURN(shape.c, Size("SizeC", limits::kChannels));
    ASSIGN_OR_RETURN(shape.t, Size("SizeT", limits::kFrames));
    if (shape.x != page_.width || shape.y != page_.height) {
      return Wrong(
          fmt::format("says {} x {} pixels, but the pages have {} x {}", shape.x, shape.y, page_.width, page_.height));
    }
    return CheckOneFile();
  }

  absl::Status CheckType() const {
    const std::string_view type = pixels_.attribute("Type").as_string(pixels_.attribute("PixelType").value());
    std::string_view stored = "float";
    if (page_.type == v1::U8) stored = "uint8";
    if (page_.type == v1::U16) stored = "uint16";
    if (type == stored || type.empty()) return absl::OkStatus();
    return Wrong(fmt::format("says the type is {}, but the pages hold {}", type, stored));
  }

  void ReadPhysicalSizes() {
    stack_.voxel_size.set_z_um(LengthUm(pixels_, "PhysicalSizeZ", "\xc2\xb5m"));
    stack_.voxel_size.set_y_um(LengthUm(pixels_, "PhysicalSizeY", "\xc2\xb5m"));
    stack_.voxel_size.set_x_um(LengthUm(pixels_, "PhysicalSizeX", "\xc2\xb5m"));
  }

  void ReadChannels() {
    for (const pugi::xml_node& node : pixels_) {
      if (LocalName(node) != "Channel") continue;
      v1::Channel channel;
      channel.set_name(ChannelName(node.attribute("Name").value(), stack_.shape.c));
      channel.set_emission_wavelength_um(LengthUm(node, "EmissionWavelength", "nm"));
      channel.set_excitation_wavelength_um(LengthUm(node, "ExcitationWavelength", "nm"));
      stack_.channels.push_back(std::move(channel));
    }
    const bool tells = std::any_of(stack_.channels.begin(), stack_.channels.end(), [](const v1::Channel& channel) {
      return !channel.name().empty() || channel.emission_wavelength_um() > 0 || channel.excitation_wavelength_um() > 0;
    });
    if (!tells || static_cast<int64_t>(stack_.channels.size()) != stack_.shape.c) stack_.channels.clear();
  }

  // The UUID that marks this file's planes: the metadata's own, or else the one given with the file's name, or else the
  // first (a file that was renamed).
  std::string_view OwnUuid() const {
    std::string_view own = root_.attribute("UUID").value();
    if (!own.empty()) return own;
    for (const pugi::xml_node& node : pixels_) {
      const pugi::xml_node uuid = LocalName(node) == "TiffData" ? Child(node, "UUID") : pugi::xml_node();
      if (uuid && path_.filename().string() == uuid.attribute("FileName").value()) return uuid.text().get();
      if (uuid && own.empty()) own = uuid.text().get();
    }
    return own;
  }

  absl::Status CheckOneFile() const {
    const std::string_view own = OwnUuid();
    for (const pugi::xml_node& node : pixels_) {
      const pugi::xml_node uuid = LocalName(node) == "TiffData" ? Child(node, "UUID") : pugi::xml_node();
      if (!uuid || own == uuid.text().get()) continue;
      const std::string_view name = uuid.attribute("FileName").value();
      return FileError(
          path_, fmt::format("is one file of a set: other planes lie in {}", name.empty() ? uuid.text().get() : name),
          kRemedy);
    }
    return absl::OkStatus();
  }

  absl::Status MapPlanes() {
    const Shape5& shape = stack_.shape;
    const int64_t planes = shape.frames() <= limits::kFrames ? shape.frames() * shape.z : INT64_MAX;
    if (planes > pages_) {
      return Wrong(fmt::format("says {} time points x {} channels x {} planes, but the file has {} pages", shape.t,
                               shape.c, shape.z, pages_));
    }
    RETURN_IF_ERROR(ReadOrder());
    stack_.page_of_plane.assign(static_cast<size_t>(planes), -1);
    bool any = false;
    for (const pugi::xml_node& node : pixels_) {
      if (LocalName(node) == "BinData") return Wrong("keeps the pixels inside the XML");
      if (LocalName(node) != "TiffData") continue;
      any = true;
      RETURN_IF_ERROR(MapTiffData(node));
    }
    if (!any) RETURN_IF_ERROR(MapRun(0, 0, planes));
    const auto missing = std::find(stack_.page_of_plane.begin(), stack_.page_of_plane.end(), -1);
    if (missing != stack_.page_of_plane.end()) {
      const int64_t index = missing - stack_.page_of_plane.begin();
      return Wrong(fmt::format("gives no page for time point {}, channel {}, plane {}", index / shape.z / shape.c,
                               index / shape.z % shape.c, index % shape.z));
    }
    return absl::OkStatus();
  }

  absl::Status ReadOrder() {
    const std::string_view order = pixels_.attribute("DimensionOrder").as_string("XYZCT");
    order_ = order.size() == 5 ? order.substr(2) : std::string_view();
    std::string sorted(order_);
    std::sort(sorted.begin(), sorted.end());
    if (sorted == "CTZ" && order.starts_with("XY")) return absl::OkStatus();
    return Wrong(fmt::format("has the dimension order \"{}\"", order));
  }

  int64_t Extent(char axis) const {
    return axis == 'Z' ? stack_.shape.z : axis == 'C' ? stack_.shape.c : stack_.shape.t;
  }

  absl::Status MapTiffData(const pugi::xml_node& node) {
    const pugi::xml_attribute page = node.attribute("IFD"), count = node.attribute("PlaneCount");
    int64_t first = 0, step = 1;
    for (const char axis : order_) {
      const int64_t at = node.attribute(fmt::format("First{}", axis).c_str()).as_llong(0);
      if (at < 0 || at >= Extent(axis)) return Wrong(fmt::format("has a TiffData element with First{}={}", axis, at));
      first += at * step;
      step *= Extent(axis);
    }
    const int64_t otherwise = page ? 1 : step - first;
    const int64_t planes = count ? count.as_llong(0) : otherwise;
    return MapRun(page.as_llong(0), first, planes);
  }

  // Gives pages from `page` on to `count` planes from `first` on, planes counted in the file's own order. No plane can
  // be given two, so that no file takes longer than its planes.
  absl::Status MapRun(int64_t page, int64_t first, int64_t count) {
    const auto planes = static_cast<int64_t>(stack_.page_of_plane.size());
    if (page < 0 || page >= pages_ || count < 0 || count > pages_ - page || count > planes - first) {
      return Wrong(fmt::format("places {} planes from page {} on, but the file has {} pages and the stack {} planes",
                               count, page + 1, pages_, planes));
    }
    mapped_ += count;
    if (mapped_ > planes) return Wrong(fmt::format("places more than the stack's {} planes", planes));
    for (int64_t i = 0; i < count; ++i) {
      int64_t rest = first + i, z = 0, c = 0, t = 0;
      for (const char axis : order_) {
        (axis == 'Z' ? z : axis == 'C' ? c : t) = rest % Extent(axis);
        rest /= Extent(axis);
      }
      stack_.page_of_plane[static_cast<size_t>((t * stack_.shape.c + c) * stack_.shape.z + z)] = page + i;
    }
    return absl::OkStatus();
  }

  const std::filesystem::path& path_;
  const int64_t pages_;
  const PageInfo& page_;
  pugi::xml_document document_;
  pugi::xml_node root_, pixels_;
  std::string_view order_;  // of Z, C and T, fastest first
  int64_t mapped_ = 0;      // planes that have been given a page
  OmeStack stack_;
};

void PutLength(pugi::xml_node& node, const std::string& name, double um, double per_unit, const char* unit) {
  if (um <= 0) return;
  node.append_attribute(name.c_str()) = fmt::format("{:.15g}", um * per_unit).c_str();
  node.append_attribute((name + "Unit").c_str()) = unit;
}

void PutChannel(pugi::xml_node& pixels, uint32_t index, const v1::Channel& channel) {
  pugi::xml_node node = pixels.append_child("Channel");
  node.append_attribute("ID") = fmt::format("Channel:0:{}", index).c_str();
  if (!channel.name().empty())
    node.append_attribute("Name") = TextField(channel.name(), limits::kDisplayNameBytes).c_str();
  node.append_attribute("SamplesPerPixel") = 1;
  PutLength(node, "ExcitationWavelength", channel.excitation_wavelength_um(), 1000, "nm");
  PutLength(node, "EmissionWavelength", channel.emission_wavelength_um(), 1000, "nm");
}

void PutPixels(pugi::xml_node& pixels, const v1::VolumeSpec& spec) {
  const v1::Shape5& shape = spec.shape();
  pixels.append_attribute("ID") = "Pixels:0";
  pixels.append_attribute("DimensionOrder") = "XYZCT";
  pixels.append_attribute("Type") = spec.type() == v1::U8 ? "uint8" : spec.type() == v1::U16 ? "uint16" : "float";
  pixels.append_attribute("BigEndian") = "false";
  pixels.append_attribute("SizeX") = shape.x();
  pixels.append_attribute("SizeY") = shape.y();
  pixels.append_attribute("SizeZ") = shape.z();
  pixels.append_attribute("SizeC") = shape.c();
  pixels.append_attribute("SizeT") = shape.t();
  PutLength(pixels, "PhysicalSizeX", spec.voxel_size().x_um(), 1, "\xc2\xb5m");
  PutLength(pixels, "PhysicalSizeY", spec.voxel_size().y_um(), 1, "\xc2\xb5m");
  PutLength(pixels, "PhysicalSizeZ", spec.voxel_size().z_um(), 1, "\xc2\xb5m");
}

struct StringWriter : pugi::xml_writer {
  std::string text;
  void write(const void* data, size_t size) override { text.append(static_cast<const char*>(data), size); }
};

}  // namespace

bool IsOme(std::string_view description) {
  const size_t start = description.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  if (start == std::string_view::npos || description[start] != '<') return false;
  const std::string_view head = description.substr(start, 4096);
  return head.find("<OME") != std::string_view::npos || head.find(":OME") != std::string_view::npos;
}

absl::StatusOr<OmeStack> ParseOme(std::string_view xml, const std::filesystem::path& path, int64_t pages,
                                  const PageInfo& page) {
  return OmeParser(path, pages, page).Parse(xml);
}

std::string FormatOme(const v1::VolumeSpec& spec) {
  pugi::xml_document document;
  pugi::xml_node declaration = document.append_child(pugi::node_declaration);
  declaration.append_attribute("version") = "1.0";
  declaration.append_attribute("encoding") = "UTF-8";
  pugi::xml_node root = document.append_child("OME");
  root.append_attribute("xmlns") = "http://www.openmicroscopy.org/Schemas/OME/2016-06";
  root.append_attribute("xmlns:xsi") = "http://www.w3.org/2001/XMLSchema-instance";
  root.append_attribute("xsi:schemaLocation") =
      "http://www.openmicroscopy.org/Schemas/OME/2016-06 "
      "http://www.openmicroscopy.org/Schemas/OME/2016-06/ome.xsd";
  root.append_attribute("Creator") = "deconvoy " DECONVOY_VERSION;
  pugi::xml_node image = root.append_child("Image");
  image.append_attribute("ID") = "Image:0";
  image.append_attribute("Name") = TextField(spec.display_name(), limits::kDisplayNameBytes).c_str();
  pugi::xml_node pixels = image.append_child("Pixels");
  PutPixels(pixels, spec);
  const v1::Shape5& shape = spec.shape();
  for (uint32_t c = 0; c < shape.c(); ++c) {
    const bool known = static_cast<int>(c) < spec.channels_size();
    PutChannel(pixels, c, known ? spec.channels(static_cast<int>(c)) : v1::Channel());
  }
  pugi::xml_node data = pixels.append_child("TiffData");
  data.append_attribute("IFD") = 0;
  data.append_attribute("PlaneCount") = uint64_t{shape.t()} * shape.c() * shape.z();
  StringWriter writer;
  document.save(writer, "", pugi::format_raw);
  return writer.text;
}

}  // namespace deconvoy::imageio
