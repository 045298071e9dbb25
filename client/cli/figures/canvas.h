// A grey canvas to draw on: rectangles, text, images.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace deconvoy::client {

inline constexpr int64_t kLineHeight = 20;      // of text, in canvas pixels
inline constexpr int64_t kCharacterWidth = 12;  // advance of every character

class Canvas {
 public:
  Canvas(int64_t width, int64_t height, uint8_t grey);

  int64_t width() const { return width_; }
  int64_t height() const { return height_; }
  const std::vector<uint8_t>& pixels() const { return pixels_; }  // rows from the top

  // All of these leave out what lies outside.
  void Fill(int64_t x, int64_t y, int64_t width, int64_t height, uint8_t grey);
  // Printable ASCII; other characters are shown as `?`. `x`, `y` is the upper left corner.
  void Text(int64_t x, int64_t y, std::string_view text, uint8_t grey);
  // `image` has rows of `width`.
  void Image(int64_t x, int64_t y, int64_t width, const std::vector<uint8_t>& image);

 private:
  void Put(int64_t x, int64_t y, uint8_t grey);

  const int64_t width_, height_;
  std::vector<uint8_t> pixels_;
};

}  // namespace deconvoy::client
