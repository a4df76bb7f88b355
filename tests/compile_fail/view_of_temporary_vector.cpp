// SPDX-License-Identifier: Apache-2.0
// expect: deleted
#include <qwen35/model/attention_mask.hpp>

using namespace qwen35;

struct Input {
  TensorView<std::int32_t> input_ids{};
  AttentionMask attention_mask{};
};
std::vector<std::int32_t> make();

std::size_t call() {
#if defined(QWEN35_POSITIVE_CONTROL)
  const std::vector<std::int32_t> ids = make();
  const Input input{.input_ids = ids};
#else
  const Input input{.input_ids = make()};
#endif
  return input.input_ids.size();
}
