// SPDX-License-Identifier: Apache-2.0
// Any bytes as JSON: what is read is the same after it was written and read again.
#include "support/fuzz.hpp"
#include "support/json_mutator.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qwen35;
  const std::optional<json::Value> value = json::try_parse(fuzz::text_of(data, size));
  if (value) {
    const std::string text = json::dump(*value);
    fuzz::expect(json::dump(json::parse(text)) == text);
  }
  return 0;
}
