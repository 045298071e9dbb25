// Reading the elements of OME-XML, whatever their namespace prefix.
#pragma once

#include <cstdint>
#include <pugixml.hpp>
#include <string>
#include <string_view>

namespace deconvoy::imageio {

// The element's name without its prefix.
std::string_view LocalName(const pugi::xml_node& node);

// The first child of this name; null where there is none.
pugi::xml_node Child(const pugi::xml_node& parent, std::string_view name);

int64_t CountChildren(const pugi::xml_node& parent, std::string_view name);

// A length in micrometres; 0 where it is missing, not positive or in pixels.
double LengthUm(const pugi::xml_node& node, const std::string& name, const char* default_unit);

}  // namespace deconvoy::imageio
