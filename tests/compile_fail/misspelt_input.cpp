// SPDX-License-Identifier: Apache-2.0
// expect: 'input_idz'
// lines: 12
#include <qwen35/model/forward_input.hpp>

void call(const std::vector<qwen35::TokenId>& ids) {
  const qwen35::ForwardInput input{.input_idz = ids};
  require_no_media(input);
}
