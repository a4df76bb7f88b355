// SPDX-License-Identifier: Apache-2.0
// The size of a picture in pixels, as one value: the reference's functions take the height first, image libraries the
// width.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>

QWEN35_BEGIN_NAMESPACE

struct ImageSize {
  std::size_t width = 0;
  std::size_t height = 0;
  friend constexpr bool operator==(const ImageSize&, const ImageSize&) = default;
};

QWEN35_END_NAMESPACE
