// SPDX-License-Identifier: Apache-2.0
// expect: deleted
// lines: 12
#include <qwen35/model/forward_input.hpp>

void call() {
  const qwen35::ForwardInput input{.input_ids = std::vector<qwen35::TokenId>{}};
  require_no_media(input);
}
