// SPDX-License-Identifier: Apache-2.0
#include <qwen35/unicode/printable.hpp>

#include <doctest/doctest.h>

using qwen35::unicode::is_printable;

TEST_CASE("what Python's repr writes as it is") {
  for (const std::uint32_t point : {0x20u, 0x7Eu, 0xA1u, 0xE9u, 0x301u, 0x65E5u, 0x1F642u, 0xE0100u}) {
    CAPTURE(point);
    CHECK(is_printable(point));
  }
}

TEST_CASE("controls, formats, white space, private and unassigned characters are escaped") {
  for (const std::uint32_t point :
       {0x0u,    0x1Fu,   0x7Fu,   0xA0u,    0xADu,    0x378u,   0x600u,   0x2028u,  0x3000u,  0xD800u,
        0xE000u, 0xFEFFu, 0xFFFFu, 0x13430u, 0x1BCA0u, 0x1D173u, 0xC9E69u, 0xE0001u, 0xF0000u, 0x10FFFFu}) {
    CAPTURE(point);
    CHECK_FALSE(is_printable(point));
  }
}
