// SPDX-License-Identifier: Apache-2.0
// A program that lists fewer formats than there are.
#define QWEN35_FORMATS(X) X(f32) X(bf16)
#include <qwen35/formats/formats.hpp>

#include <doctest/doctest.h>

using namespace qwen35;

TEST_CASE("a format's facts") {
  static_assert(row_bytes(Format::f32, 5) == 20 && row_bytes(Format::bf16, 5) == 10 &&
                row_bytes(Format::f8_e4m3, 5) == 5);
  static_assert(alignment(Format::f32) == 4 && alignment(Format::f16) == 2 && alignment(Format::f8_e4m3) == 1);
  CHECK(name(Format::f8_e4m3) == "f8_e4m3");
  CHECK(name(static_cast<Format>(200)) == "?");
}

TEST_CASE("visit finds the definition of a format; one that the program left out is an error") {
  static_assert(is_available(Format::bf16) && !is_available(Format::f16) && !is_available(static_cast<Format>(200)));
  static_assert(!is_available(Format::q8_0) && !is_encodable(Format::q8_0));
  static_assert(is_encodable(Format::f32) && !is_encodable(Format::f8_e4m3));
  const auto bytes = [](Format format) { return visit(format, []<class S>(S) { return sizeof(typename S::Block); }); };
  CHECK(bytes(Format::f32) == 4);
  CHECK(bytes(Format::bf16) == 2);
  CHECK_THROWS_WITH_AS(bytes(Format::f16),
                       "this program was compiled without the format f16, which QWEN35_FORMATS does not list",
                       InputError);
  CHECK_THROWS_AS(bytes(static_cast<Format>(200)), InputError);
  CHECK_NOTHROW(require_available(Format::f32, "matrix"));
  CHECK_THROWS_WITH_AS(
      require_available(Format::f16, "embed_tokens"),
      "embed_tokens: this program was compiled without the format f16, which QWEN35_FORMATS does not list", InputError);
}
