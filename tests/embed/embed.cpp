// SPDX-License-Identifier: Apache-2.0
#include <qwen35_embed/again.hpp>
#include <qwen35_embed/odd.hpp>

#include <doctest/doctest.h>

#include <cstdint>

namespace {

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("embedded files have their bytes, by function and by name, aligned") {
  CHECK(text_of(odd::plain_txt()) == "plain\n");
  CHECK(text_of(odd::_0empty()).empty());
  CHECK(text_of(odd::_class()) == "keyword");
  CHECK(text_of(odd::odd__name__1__s______50__json()) == "odd");
  CHECK(text_of(again::plain_txt()) == "plain\n");
  CHECK(again::plain_txt().data() != odd::plain_txt().data());

  REQUIRE(odd::files().size() == 4);
  CHECK(odd::files()[0].first == "plain.txt");
  CHECK(odd::files()[1].first == "odd $name (1)'s \xc3\xa9, @50%.json");
  CHECK(odd::files()[1].second.data() == odd::odd__name__1__s______50__json().data());
  for (const auto& file : odd::files()) {
    const auto bytes = file.second;
    CAPTURE(file.first);
    CHECK(reinterpret_cast<std::uintptr_t>(bytes.data()) % 64 == 0);
    CHECK(*(bytes.data() + bytes.size()) == std::byte{0});
  }
}
