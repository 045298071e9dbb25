// The optics that OME-XML tells of an image.
#pragma once

#include <pugixml.hpp>

#include "client/imageio/acquisition.h"

namespace deconvoy::imageio {

// Of `image`, an Image element of the document's `root`, whose Pixels are given. The objective is the one that the
// image refers to; without a reference that of a document with a single one. Numbers out of range count as missing: a
// numerical aperture outside 0.01 to 1.7, a magnification outside 0.1 to 1000, a refractive index outside 1 to 2.5.
Acquisition ReadAcquisition(const pugi::xml_node& root, const pugi::xml_node& image, const pugi::xml_node& pixels);

}  // namespace deconvoy::imageio
