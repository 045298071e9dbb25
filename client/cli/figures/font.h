// A 5 x 7 bitmap font of printable ASCII.
#pragma once

#include <array>
#include <cstdint>

namespace deconvoy::client {

inline constexpr int kGlyphWidth = 5, kGlyphHeight = 7;
inline constexpr char kFirstGlyph = ' ', kLastGlyph = '~';

// Rows from the top; of each row the lowest five bits, the leftmost pixel highest.
using Glyph = std::array<uint8_t, kGlyphHeight>;

// Glyphs from kFirstGlyph to kLastGlyph.
extern const std::array<Glyph, kLastGlyph - kFirstGlyph + 1> kGlyphs;

}  // namespace deconvoy::client
