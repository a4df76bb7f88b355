// SPDX-License-Identifier: Apache-2.0
// The world that the shapes model knows: pictures of coloured shapes on a light ground, and clips of one that moves.
#pragma once

#include <qwen35/media/image.hpp>

#include <array>
#include <cmath>
#include <cstdio>
#include <string_view>
#include <vector>

namespace scene {

enum class Form { circle, square, triangle, star };

struct Colour {
  std::uint8_t red, green, blue;
};
inline constexpr Colour red{220, 40, 40}, green{40, 170, 60}, blue{50, 80, 220}, yellow{235, 205, 40},
    purple{150, 60, 190}, orange{245, 140, 30};

struct Object {
  Form form;
  Colour colour;
  double x, y, r;  // centre and radius, pixels
};

// Is (x, y), counted from the centre in radii, part of the form?
inline bool covers(Form form, double x, double y) {
  switch (form) {
    case Form::circle:
      return x * x + y * y <= 1.0;
    case Form::square:
      return std::abs(x) <= 0.85 && std::abs(y) <= 0.85;
    case Form::triangle:
      return y <= 0.8 && y >= -1.0 + std::abs(x) * 1.8 / 0.95;
    case Form::star: {
      // Folded onto a half of one of its five points: below the edge from the tip, at radius 1, to the notch, at radius
      // 0.42.
      constexpr double slice = 3.14159265358979323846 / 5.0;
      const double angle = std::abs(std::remainder(std::atan2(x, -y), 2.0 * slice)), radius = std::hypot(x, y);
      const double notch_x = 0.42 * std::cos(slice), notch_y = 0.42 * std::sin(slice);
      return (radius * std::cos(angle) - 1.0) * notch_y + radius * std::sin(angle) * (1.0 - notch_x) <= 0.0;
    }
  }
  return false;
}

inline qwen35::Image draw(std::size_t width, std::size_t height, const std::vector<Object>& objects) {
  qwen35::Image image(width, height);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      Colour colour{240, 236, 228};
      for (const Object& object : objects) {
        if (covers(object.form, (static_cast<double>(x) - object.x) / object.r,
                   (static_cast<double>(y) - object.y) / object.r)) {
          colour = object.colour;
        }
      }
      std::uint8_t* const pixel = image.row(y) + 3 * x;
      pixel[0] = colour.red;
      pixel[1] = colour.green;
      pixel[2] = colour.blue;
    }
  }
  return image;
}

// `count` frames in which the object moves by (dx, dy) pixels each.
inline std::vector<qwen35::Image> clip(std::size_t count, Object object, double dx, double dy) {
  std::vector<qwen35::Image> frames;
  for (std::size_t i = 0; i < count; ++i, object.x += dx, object.y += dy) {
    frames.push_back(draw(64, 64, {object}));
  }
  return frames;
}

// Two pixel rows for each line of the terminal: the upper one is the character's colour, the lower its ground.
inline void show(const std::vector<qwen35::Image>& frames) {
  constexpr std::size_t step = 4;
  for (std::size_t y = 0; y + step < frames[0].height(); y += 2 * step) {
    std::fputs("  ", stdout);
    for (const qwen35::Image& frame : frames) {
      for (std::size_t x = 0; x < frame.width(); x += step) {
        const std::uint8_t* const above = frame.row(y) + 3 * x;
        const std::uint8_t* const below = frame.row(y + step) + 3 * x;
        std::printf("\x1b[38;2;%d;%d;%dm\x1b[48;2;%d;%d;%dm\xe2\x96\x80", above[0], above[1], above[2], below[0],
                    below[1], below[2]);
      }
      std::fputs("\x1b[0m ", stdout);
    }
    std::fputs("\n", stdout);
  }
}

}  // namespace scene
