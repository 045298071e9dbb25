#include "client/imageio/ome_nodes.h"

#include <algorithm>

#include "client/imageio/units.h"

namespace deconvoy::imageio {

std::string_view LocalName(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const size_t colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

pugi::xml_node Child(const pugi::xml_node& parent, std::string_view name) {
  return parent.find_child([&](const pugi::xml_node& node) { return LocalName(node) == name; });
}

int64_t CountChildren(const pugi::xml_node& parent, std::string_view name) {
  return std::count_if(parent.begin(), parent.end(),
                       [&](const pugi::xml_node& node) { return LocalName(node) == name; });
}

double LengthUm(const pugi::xml_node& node, const std::string& name, const char* default_unit) {
  const double value = node.attribute(name.c_str()).as_double(0);
  const double um = MicrometresPer(node.attribute((name + "Unit").c_str()).as_string(default_unit));
  return PlausibleUm(value * um);
}

}  // namespace deconvoy::imageio
