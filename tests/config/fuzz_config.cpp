// SPDX-License-Identifier: Apache-2.0
// Any config.json and generation_config.json: an error, or values of a compiled type.
#include <qwen35/config/config_file.hpp>
#include <qwen35/config/presets.hpp>

#include "support/fuzz.hpp"
#include "support/json_mutator.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qwen35;
  const std::optional<json::Value> value = json::try_parse(fuzz::text_of(data, size));
  if (value) {
    fuzz::attempt([&] { static_cast<void>(try_check<configs::Shapes>(*value)); });
    fuzz::attempt([&] { check_vision<configs::Shapes::vision_config>(*value); });
  }
  return 0;
}
