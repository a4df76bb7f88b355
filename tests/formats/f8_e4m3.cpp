// SPDX-License-Identifier: Apache-2.0
#include "float_format.hpp"

using namespace qwen35;
using float_format::encoded;

// The values beyond 448 are torch's: torch.tensor(x).to(torch.float8_e4m3fn).
TEST_CASE("f8_e4m3 is its definition: 4 bits of exponent, 3 of mantissa, no infinities; it saturates") {
  CHECK(float_format::check<Format::f8_e4m3>({4, 3, 7, false}) == 0x7e);
  CHECK(f8_e4m3_to_f32(0x7e) == 448.0f);
  for (const float value : {448.0f, 463.0f, 464.0f, 464.1f, 480.0f, 1000.0f, float_format::infinity}) {
    CHECK(encoded<Format::f8_e4m3>(value) == 0x7e);
    CHECK(encoded<Format::f8_e4m3>(-value) == 0xfe);
  }
  CHECK(encoded<Format::f8_e4m3>(float_format::nan) == 0x7f);
  CHECK(encoded<Format::f8_e4m3>(-1.0e-30f) == 0x80);
}
