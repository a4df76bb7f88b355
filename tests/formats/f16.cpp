// SPDX-License-Identifier: Apache-2.0
#include "float_format.hpp"

using namespace qwen35;
using float_format::encoded;

TEST_CASE("f16 is its definition: 5 bits of exponent, 10 of mantissa") {
  CHECK(float_format::check<Format::f16>({5, 10, 15, true}) == 0x7bff);
  CHECK(encoded<Format::f16>(float_format::infinity) == 0x7c00);
  CHECK(encoded<Format::f16>(-float_format::infinity) == 0xfc00);
  CHECK(encoded<Format::f16>(65519.99f) == 0x7bff);
  CHECK(encoded<Format::f16>(65520.0f) == 0x7c00);
  CHECK(encoded<Format::f16>(1.0e30f) == 0x7c00);
  CHECK(std::isnan(f16_to_f32(f32_to_f16(float_format::nan))));
}
