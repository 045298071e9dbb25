#include "client/cli/figures/canvas.h"

#include "client/cli/figures/font.h"

namespace deconvoy::client {
namespace {

constexpr int64_t kPixel = 2;  // canvas pixels per pixel of the font

}  // namespace

Canvas::Canvas(int64_t width, int64_t height, uint8_t grey)
    : width_(width), height_(height), pixels_(static_cast<size_t>(width * height), grey) {}

void Canvas::Put(int64_t x, int64_t y, uint8_t grey) {
  if (x >= 0 && x < width_ && y >= 0 && y < height_) pixels_[static_cast<size_t>(y * width_ + x)] = grey;
}

void Canvas::Fill(int64_t x, int64_t y, int64_t width, int64_t height, uint8_t grey) {
  for (int64_t row = y; row < y + height; ++row) {
    for (int64_t column = x; column < x + width; ++column) Put(column, row, grey);
  }
}

void Canvas::Text(int64_t x, int64_t y, std::string_view text, uint8_t grey) {
  for (const char character : text) {
    const bool known = character >= kFirstGlyph && character <= kLastGlyph;
    const Glyph& glyph = kGlyphs[static_cast<size_t>((known ? character : '?') - kFirstGlyph)];
    for (int row = 0; row < kGlyphHeight; ++row) {
      for (int column = 0; column < kGlyphWidth; ++column) {
        const bool set = (glyph[static_cast<size_t>(row)] >> (kGlyphWidth - 1 - column) & 1) != 0;
        if (set) Fill(x + column * kPixel, y + row * kPixel, kPixel, kPixel, grey);
      }
    }
    x += kCharacterWidth;
  }
}

void Canvas::Image(int64_t x, int64_t y, int64_t width, const std::vector<uint8_t>& image) {
  for (size_t i = 0; i < image.size(); ++i) {
    const auto index = static_cast<int64_t>(i);
    Put(x + index % width, y + index / width, image[i]);
  }
}

}  // namespace deconvoy::client
