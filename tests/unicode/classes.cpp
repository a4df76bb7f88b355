// SPDX-License-Identifier: Apache-2.0
#include <qwen35/unicode/class_ranges.hpp>
#include <qwen35/unicode/classes.hpp>

#include <doctest/doctest.h>

#include <set>

using namespace qwen35;
using unicode::Class;

TEST_CASE("counts of Unicode 16.0") {
  const unicode::ClassTable& table = unicode::ClassTable::instance();
  std::uint32_t counts[5] = {};
  std::set<std::uint32_t> spaces;
  for (std::uint32_t point = 0; point < unicode::code_points; ++point) {
    ++counts[static_cast<std::size_t>(table[point])];
    if (table[point] == Class::white_space) {
      spaces.insert(point);
    }
  }
  CHECK(counts[static_cast<std::size_t>(Class::letter)] == 141028);
  CHECK(counts[static_cast<std::size_t>(Class::mark)] == 2501);
  CHECK(counts[static_cast<std::size_t>(Class::number)] == 1911);
  CHECK(spaces == std::set<std::uint32_t>{0x9,    0xA,    0xB,    0xC,    0xD,    0x20,   0x85,   0xA0,   0x1680,
                                          0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008,
                                          0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000});
}

TEST_CASE("the table is the list of ranges") {
  const unicode::ClassTable& table = unicode::ClassTable::instance();
  std::uint32_t wrong = 0;
  for (std::size_t run = 0; run < std::size(unicode::class_starts); ++run) {
    const std::uint32_t entry = unicode::class_starts[run];
    const std::uint32_t end =
        run + 1 < std::size(unicode::class_starts) ? unicode::class_starts[run + 1] >> 5 : unicode::code_points;
    for (std::uint32_t point = entry >> 5; point < end; ++point) {
      wrong += table[point] != static_cast<Class>(entry & 7) || table.nfc_active(point) != ((entry & 8) != 0) ||
               table.later_than_unicode_9(point) != ((entry & 16) != 0);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("single code points") {
  const unicode::ClassTable& table = unicode::ClassTable::instance();
  CHECK(table['a'] == Class::letter);
  CHECK(table['7'] == Class::number);
  CHECK(table['_'] == Class::other);
  CHECK(table[0x1C] == Class::other);
  CHECK(table[0x180E] == Class::other);
  CHECK(table[0x200B] == Class::other);
  CHECK(table[0xFEFF] == Class::other);
  CHECK(table[0x17F] == Class::letter);
  CHECK(table[0x94D] == Class::mark);
  CHECK(table[0xBD] == Class::number);
  CHECK(table[0x2167] == Class::number);
  CHECK(table[0x4E2D] == Class::letter);
  CHECK(table[0x323AF] == Class::letter);
  CHECK(table[0x323B0] == Class::other);
  CHECK(table[0x1E5D0] == Class::letter);  // Ol Onal, new in 16.0
  CHECK(table[0x10FFFF] == Class::other);
  CHECK(table.nfc_active(0x301));
  CHECK(table.nfc_active(0x11A8));
  CHECK(!table.nfc_active(0xE9));
  CHECK(table.nfc_active(0x212B));
  CHECK(table.later_than_unicode_9(0x11930));
  CHECK(!table.nfc_active(0x11930));
  CHECK(!table.later_than_unicode_9(0x301));
}
