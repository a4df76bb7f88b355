// SPDX-License-Identifier: Apache-2.0
// Any text as base64 and as a data: URL: an error, or as many bytes as its digits are.
#include <qwen35/media/base64.hpp>

#include "support/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qwen35;
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::attempt([&] {
    std::size_t digits = 0;
    for (const char c : text) {
      digits += detail::base64_digit(c) < 64 ? 1u : 0u;
    }
    fuzz::expect(decode_base64(text).size() == digits * 3 / 4);
  });
  looks_like_base64(text);
  fuzz::attempt([&] { decode_data_url(text); });
  fuzz::attempt([&] { decode_data_url("data:image/png;base64," + std::string(text)); });
  return 0;
}
