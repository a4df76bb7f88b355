// SPDX-License-Identifier: Apache-2.0
#include "float_format.hpp"

using namespace qwen35;
using float_format::encoded;

TEST_CASE("bf16 is its definition: 8 bits of exponent, 7 of mantissa") {
  CHECK(float_format::check<Format::bf16>({8, 7, 127, true}) == 0x7f7f);
  CHECK(encoded<Format::bf16>(float_format::infinity) == 0x7f80);
  CHECK(encoded<Format::bf16>(-float_format::infinity) == 0xff80);
  CHECK(encoded<Format::bf16>(std::numeric_limits<float>::max()) == 0x7f80);  // rounds to infinity
  CHECK(std::isnan(bf16_to_f32(f32_to_bf16(float_format::nan))));
  CHECK(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));  // its high half is infinity's
}
