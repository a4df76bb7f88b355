// SPDX-License-Identifier: Apache-2.0
#include <qwen35/core/matrix.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace qwen35;

TEST_CASE("rows and slices of a matrix lie where row-major storage puts them") {
  const std::vector<std::byte> bytes(4 * 6 * 4);
  for (const Format format : {Format::f32, Format::f16, Format::bf16}) {
    const std::size_t size = format == Format::f32 ? 4 : 2;
    const Matrix matrix(bytes.data(), format, 4, 6);
    CHECK(!matrix.empty());
    CHECK(matrix.bytes() == 4 * 6 * size);
    CHECK(matrix.row(3) == bytes.data() + 3 * 6 * size);
    const Matrix slice = matrix.slice(1, 2);
    CHECK(slice.rows == 2);
    CHECK(slice.cols == 6);
    CHECK(slice.format == format);
    CHECK(slice.row(1) == matrix.row(2));
    CHECK(matrix.slice(4, 0).bytes() == 0);
  }
  CHECK(Matrix().empty());
  CHECK(Matrix().bytes() == 0);
}
