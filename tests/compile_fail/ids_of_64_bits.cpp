// SPDX-License-Identifier: Apache-2.0
// expect: TensorView<
// lines: 12
#include <qwen35/model/forward_input.hpp>

void call(const std::vector<std::int64_t>& ids) {
  const qwen35::ForwardInput input{.input_ids = ids};
  require_no_media(input);
}
